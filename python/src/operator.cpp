#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <mutex>

#include "running.h"
#include "runs.h"

namespace tangra::python {
namespace {

/// An operator outlives the call, after which Python may write its arrays again.
void keep(data::DataSpec& samples) {
  const Array lent = *samples.array;
  if (lent.shape().rank() > 0) samples.array = lent.rows(0, lent.shape()[0]);
}

/// run::Operator with the flag that stops it. One product at a time: a second thread waits.
class KernelOperator {
 public:
  KernelOperator(const run::KernelSpec& spec, nb::handle progress) {
    watch(progress, cancelled_, [&](const run::Caller&) { operator_ = run::make_operator(spec, {.cancelled = &cancelled_}); });
  }
  const run::Operator& get() const { return *operator_; }

  nb::object apply(const Given& x) {
    const Array vectors = from_python(x, "x");
    const Index count = vectors.shape().rank() == 2 ? vectors.shape()[1] : 1;
    const Tensor<double> entries = vectors.converted<double>();
    auto product = Tensor<double>::uninitialized(Shape{operator_->rows(), count});
    {
      std::unique_lock lock(one_at_a_time_, std::defer_lock);
      {
        const nb::gil_scoped_release unlocked;
        lock.lock();
      }
      watch(nb::none(), cancelled_, [&](const run::Caller&) {
        operator_->apply(matrix(entries.data(), operator_->columns(), count), matrix(product.data(), operator_->rows(), count));
      });
    }
    if (vectors.shape().rank() == 1) product.reshape(Shape{operator_->rows()});
    return to_numpy(Array(std::move(product)));
  }

 private:
  std::atomic<bool> cancelled_{false};
  std::mutex one_at_a_time_;
  std::unique_ptr<run::Operator> operator_;
};

}  // namespace

void bind_operator(nb::module_& module) {
  nb::class_<KernelOperator>(module, "KernelOperator")
      .def("__init__", [](KernelOperator* self, const Model& model, const Given& x, const OptionalArray& x2,
                          const std::string& reduce, const OptionalArray& basis, const std::string& precision,
                          std::size_t memory, int threads, const nb::object& progress) {
        run::KernelSpec spec = kernel_spec(model, x, x2, reduce, basis, precision, memory, threads);
        keep(spec.data);
        if (spec.data2) keep(*spec.data2);
        new (self) KernelOperator(spec, progress);
      }, nb::arg("model"), nb::arg("x"), nb::arg("x2").none(), nb::kw_only(), nb::arg("reduce"), nb::arg("basis").none(),
         nb::arg("precision"), nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none())
      .def("apply", &KernelOperator::apply, nb::arg("x"), nb::sig("def apply(self, x: typing.Any) -> numpy.typing.NDArray[numpy.float64]"))
      .def_prop_ro("shape", [](const KernelOperator& self) { return nb::make_tuple(self.get().rows(), self.get().columns()); },
                   nb::sig("def shape(self) -> tuple[int, int]"))
      .def_prop_ro("precision", [](const KernelOperator& self) { return std::string(name_of(self.get().precision())); });
}

}  // namespace tangra::python
