#include "running.h"

namespace tangra::python {

data::DataSpec data_of(const Given& x, const char* name) { return {.source = name, .array = lent_by_python(x, name)}; }

data::DataSpec data_of(const Given& x, const char* name, const OptionalArray& labels, const char* labels_name) {
  data::DataSpec spec = data_of(x, name);
  if (!labels) return spec;
  spec.labels_file = labels_name;
  spec.labels_array = from_python(*labels, labels_name);
  return spec;
}

run::Precision precision_of(const std::string& text) {
  return choose<run::Precision>(text, "precision", {{"auto", run::Precision::automatic},
                                                    {"float32", run::Precision::float32},
                                                    {"float64", run::Precision::float64}});
}

run::Resources resources(std::size_t memory, int threads) {
  return {.threads = threads, .memory = memory, .whole_process = false};
}

run::KernelSpec kernel_spec(const Model& model, const Given& x, const OptionalArray& x2, const std::string& reduce,
                            const OptionalArray& basis, const std::string& precision, std::size_t memory, int threads) {
  run::KernelSpec spec;
  spec.model = model.spec();
  spec.data = data_of(x, "x");
  if (x2) spec.data2 = data_of(*x2, "x2");
  spec.reduce = reduce;
  if (basis) {
    spec.basis = "basis";
    spec.basis_array = from_python(*basis, "basis");
  }
  spec.precision = precision_of(precision);
  spec.resources = resources(memory, threads);
  return spec;
}

nb::dict to_dict(const std::vector<run::NamedArray>& arrays) {
  nb::dict result;
  for (const run::NamedArray& one : arrays) result[one.name.c_str()] = to_numpy(one.array);
  return result;
}

}  // namespace tangra::python
