#include "tangra/analysis/spectrum.h"

#include "tangra/base/error.h"
#include "tangra/formats/npy.h"
#include "tangra/run/session.h"

namespace tangra::run {
namespace {

/// The side of the square matrix that a stored kernel is. Throws Error(input) for other shapes.
Index side_of(const Shape& shape, const std::string& where) {
  if (shape.rank() == 2 && shape[0] == shape[1]) return shape[0];
  if (shape.rank() == 4 && shape[0] == shape[2] && shape[1] == shape[3]) return shape[0] * shape[1];
  std::string cure = "A train x test kernel has no eigenvalues";
  if (shape.rank() == 3) cure = "A diagonal kernel is one kernel for each output: compute one with --reduce output=K";
  throw Error(ErrorKind::input, {.what = "this is not a symmetric kernel", .where = where, .got = "shape " + to_string(shape),
                                 .expected = "(n, n) or (n, O, n, O)", .cure = std::move(cure)});
}

}  // namespace

void SpectrumSpec::validate() const {
  if (kernel.empty() == !from_model.has_value()) {
    throw Error(ErrorKind::usage, {.what = "a spectrum needs one kernel", .where = "spectrum", .got = {},
                                   .expected = "a .npy file, or a model and data with --reduce", .cure = {}});
  }
  if (top < 0) {
    throw Error(ErrorKind::usage, {.what = "a number of eigenvalues cannot be negative", .where = "--top",
                                   .got = std::to_string(top), .expected = "0 (all) or more", .cure = {}});
  }
  if (from_model) {
    from_model->validate();
    if (from_model->reduce == "diagonal") {
      throw Error(ErrorKind::usage, {.what = "a diagonal kernel is one kernel for each output, without eigenvalues of its own",
                                     .where = "--reduce", .got = "diagonal", .expected = "full, trace, mean, sum or output=K",
                                     .cure = {}});
    }
    if (from_model->data2 || from_model->pairs == Pairs::self || from_model->by != By::total) {
      throw Error(ErrorKind::usage, {.what = "only the total kernel of one set of samples has eigenvalues", .where = "spectrum",
                                     .got = {}, .expected = {}, .cure = {}});
    }
  }
}

SpectrumResult run_spectrum(const SpectrumSpec& spec, const Caller& caller) {
  spec.validate();
  SpectrumResult result;
  result.top = spec.top;
  Array kernel;
  Provenance of_kernel;
  analysis::SpectrumOptions options;
  if (spec.from_model) {
    KernelSpec own = *spec.from_model;
    own.out.clear();
    KernelResult computed = run_kernel(own, caller);
    kernel = computed.arrays.front().array;
    result.source = computed.model.text + ", " + computed.data.name + ", " + computed.reduce;
    if (computed.measured_error) options.errors.relative = computed.measured_error->rms;
    of_kernel = computed.provenance;
  } else {
    kernel = formats::read_npy(spec.kernel);
    result.source = spec.kernel;
  }
  Session session(spec.resources, caller);
  result.shape = kernel.shape();
  if (!is_floating(kernel.type())) {
    throw Error(ErrorKind::input, {.what = "a kernel has real entries", .where = result.source,
                                   .got = std::string(name_of(kernel.type())), .expected = "float32 or float64", .cure = {}});
  }
  options.errors.storage_epsilon = kernel.type() == DType::float64 ? 0x1p-53 : 0x1p-24;
  const Index n = side_of(kernel.shape(), result.source);
  const auto bytes = static_cast<std::size_t>(n) * static_cast<std::size_t>(n) * sizeof(double);
  const Reservation memory(session.context().memory, bytes + bytes / 8, "the kernel in float64");
  Tensor<double> matrix_entries = kernel.converted<double>();
  session.step("load");
  result.spectrum = analysis::spectrum(matrix(matrix_entries.data(), n, n), options, session.context());
  session.step("eigenvalues");
  result.provenance = session.provenance(of_kernel.model_fingerprint, of_kernel.data_fingerprints);
  result.provenance.seconds.insert(result.provenance.seconds.begin(), of_kernel.seconds.begin(), of_kernel.seconds.end());
  result.provenance.total_seconds += of_kernel.total_seconds;
  return result;
}

}  // namespace tangra::run
