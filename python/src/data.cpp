#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include "arrays.h"
#include "runs.h"
#include "tangra/data/data_set.h"

namespace tangra::python {
namespace {

nb::tuple load_data(const std::string& source, const std::string& data_dir, std::optional<Index> n,
                    std::optional<std::pair<Index, Index>> samples, std::optional<double> scale,
                    const std::optional<std::string>& normalize, bool nhwc) {
  data::DataSet set;
  {
    const nb::gil_scoped_release unlocked;
    set = data::load({.source = source, .data_dir = data_dir, .n = n, .samples = samples, .nhwc = nhwc, .scale = scale,
                      .normalize = normalize});
  }
  nb::object labels = nb::none();
  if (set.labels) {
    Tensor<std::int64_t> entries(Shape{static_cast<Index>(set.labels->size())});
    std::ranges::copy(*set.labels, entries.begin());
    labels = to_numpy(Array(std::move(entries)));
  }
  return nb::make_tuple(to_numpy(set.inputs), labels, set.description);
}

}  // namespace

void bind_data(nb::module_& module) {
  module.def("data", &load_data, nb::arg("source"), nb::kw_only(), nb::arg("data_dir"), nb::arg("n").none(),
             nb::arg("samples").none(), nb::arg("scale").none(), nb::arg("normalize").none(), nb::arg("nhwc"));
}

}  // namespace tangra::python
