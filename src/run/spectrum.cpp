#include "tangra/analysis/spectrum.h"

#include <filesystem>

#include "tangra/base/error.h"
#include "tangra/formats/json_file.h"
#include "tangra/kernel/kernel_file.h"
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

/// A kernel in float64, and what is known of its entries.
struct StoredMatrix {
  Reservation memory;
  Shape shape;
  Index n = 0;
  Tensor<double> entries;  ///< [n, n]
  analysis::SpectrumOptions options;
};

StoredMatrix room_for(const Shape& shape, DType type, const std::string& where, const Context& context) {
  if (!is_floating(type)) {
    throw Error(ErrorKind::input, {.what = "a kernel has real entries", .where = where, .got = std::string(name_of(type)),
                                   .expected = "float32 or float64", .cure = {}});
  }
  StoredMatrix matrix;
  matrix.n = side_of(shape, where);
  const auto bytes = static_cast<std::size_t>(matrix.n) * static_cast<std::size_t>(matrix.n) * sizeof(double);
  matrix.memory = Reservation(context.memory, bytes + bytes / 8, "the kernel in float64");
  matrix.shape = shape;
  matrix.options.errors.storage_epsilon = type == DType::float64 ? 0x1p-53 : 0x1p-24;
  return matrix;
}

/// The error of the entries, relative to their root mean square, as the .json beside the file tells it; says in words where
/// it is from.
double measured_error_beside(const std::filesystem::path& kernel, const Shape& shape, std::string& source) {
  const std::filesystem::path path = kernel.string() + ".json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    source = "not known: there is no " + path.string();
    return 0;
  }
  const formats::JsonFile file(path);
  const auto described = file.integers("/shape");
  if (described && *described != shape.lengths()) {
    throw Error(ErrorKind::input, {.what = "the description beside the kernel belongs to another one", .where = path.string(),
                                   .got = "shape " + to_string(Shape(*described)), .expected = to_string(shape),
                                   .cure = "Remove it, or compute the kernel anew"});
  }
  const std::optional<double> error = file.number("/measured_error/rms");
  source = (error ? "measured, " : "not measured, ") + path.string();
  if (!error || *error >= 0) return error.value_or(0);
  throw Error(ErrorKind::input, {.what = "a measured error cannot be negative", .where = path.string(),
                                 .got = std::to_string(*error), .expected = "0 or more", .cure = {}});
}

StoredMatrix read_kernel(const std::string& given, SpectrumResult& result, const Context& context) {
  const std::filesystem::path path = kernel::without_slash(given);
  const kernel::KernelFile file(path);
  StoredMatrix matrix = room_for(file.shape(), file.type(), given, context);
  matrix.options.errors.relative = measured_error_beside(path, file.shape(), result.error_source);
  matrix.entries = Tensor<double>::uninitialized({matrix.n, matrix.n});
  file.read_all(tangra::matrix(matrix.entries.data(), matrix.n, matrix.n), context);
  return matrix;
}

StoredMatrix computed_kernel(const KernelResult& computed, SpectrumResult& result, const Context& context) {
  const Array& kernel = computed.arrays.front().array;
  StoredMatrix matrix = room_for(kernel.shape(), kernel.type(), result.source, context);
  matrix.entries = kernel.converted<double>();
  result.error_source = computed.measured_error ? "measured" : "not measured";
  if (computed.measured_error) matrix.options.errors.relative = computed.measured_error->rms;
  return matrix;
}

StoredMatrix given_kernel(const SpectrumSpec& spec, SpectrumResult& result, const Context& context) {
  const Array& kernel = *spec.kernel_array;
  StoredMatrix matrix = room_for(kernel.shape(), kernel.type(), spec.kernel, context);
  matrix.entries = kernel.converted<double>();
  matrix.options.errors.relative = spec.relative_error;
  result.error_source = spec.relative_error > 0 ? "as given" : "not given";
  return matrix;
}

}  // namespace

void SpectrumSpec::validate() const {
  if (kernel.empty() == !from_model.has_value()) {
    throw Error(ErrorKind::usage, {.what = "a spectrum needs one kernel", .where = "spectrum", .got = {},
                                   .expected = "a .npy or .zarr, or a model and data with --reduce", .cure = {}});
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
  KernelResult computed;
  if (spec.from_model) {
    KernelSpec own = *spec.from_model;
    own.out.clear();
    computed = run_kernel(own, caller);
  }
  const Provenance& of_kernel = computed.provenance;
  Session session(spec.resources, caller);
  session.count_resident();
  result.source = spec.from_model ? computed.model.text + ", " + computed.data.name + ", " + computed.reduce : spec.kernel;
  StoredMatrix own = spec.from_model     ? computed_kernel(computed, result, session.context())
                     : spec.kernel_array ? given_kernel(spec, result, session.context())
                                         : read_kernel(spec.kernel, result, session.context());
  computed.arrays.clear();
  result.shape = own.shape;
  session.step("load");
  result.spectrum = analysis::spectrum(matrix(own.entries.data(), own.n, own.n), own.options, session.context());
  session.step("eigenvalues");
  result.provenance = session.provenance(of_kernel.model_fingerprint, of_kernel.data_fingerprints);
  result.provenance.seconds.insert(result.provenance.seconds.begin(), of_kernel.seconds.begin(), of_kernel.seconds.end());
  result.provenance.total_seconds += of_kernel.total_seconds;
  return result;
}

}  // namespace tangra::run
