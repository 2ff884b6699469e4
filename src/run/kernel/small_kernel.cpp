#include "tangra/run/kernel/small_kernel.h"

#include <algorithm>
#include <cmath>

#include "tangra/analysis/krylov.h"
#include "tangra/base/error.h"
#include "tangra/differentiate/network_factors.h"
#include "tangra/kernel/assembly.h"
#include "tangra/kernel/kernel_operator.h"
#include "tangra/kernel/reduction.h"
#include "tangra/linalg/lapack.h"

namespace tangra::run {
namespace {

/// The largest residual of the eigenvalue behind a rate bound, as a share of it.
constexpr double bound_tolerance = 1e-4;

std::vector<Index> parameter_sizes(const Graph& graph) {
  std::vector<Index> sizes;
  for (const Parameter& parameter : graph.parameters) sizes.push_back(parameter.data.size());
  return sizes;
}

/// Rows C of a basis with C^T C = H, the second derivative of the loss by the outputs. For log-probabilities, in which the
/// loss is linear, H is the Fisher matrix diag(p), which is that of the logits when it is pulled back through the softmax.
differentiate::Basis curvature_roots(const train::Loss& loss) {
  const Index classes = loss.classes();
  if (loss.kind() == train::LossKind::mse) return differentiate::Basis::identity(classes);
  const bool logits = loss.takes_logits();
  return differentiate::Basis::computed(classes, classes, [=](Index, std::span<const double> z, std::span<double> rows) {
    const double largest = *std::ranges::max_element(z);
    double sum = 0;
    for (const double entry : z) sum += std::exp(entry - largest);
    const auto p = [&](std::size_t a) { return std::exp(z[a] - largest) / sum; };
    for (std::size_t r = 0; r < z.size(); ++r) {
      const double root = std::sqrt(p(r));
      for (std::size_t a = 0; logits && a < z.size(); ++a) rows[r * z.size() + a] = -root * p(a);
      rows[r * z.size() + r] += root;
    }
  });
}

double inner(const Tensor<double>& a, const Tensor<double>& b) {
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// 0 where either is 0.
double cosine(const Tensor<double>& a, const Tensor<double>& b) {
  const double norms = std::sqrt(inner(a, a)) * std::sqrt(inner(b, b));
  return norms == 0 ? 0 : inner(a, b) / norms;
}

/// H K H with H = 1 - ones / n, of a symmetric K.
Tensor<double> centred(const Tensor<double>& kernel) {
  const Index n = kernel.shape()[0];
  std::vector<double> means(static_cast<std::size_t>(n), 0.0);
  double mean = 0;
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) means[static_cast<std::size_t>(i)] += kernel[i * n + j] / static_cast<double>(n);
    mean += means[static_cast<std::size_t>(i)] / static_cast<double>(n);
  }
  auto result = Tensor<double>::uninitialized(kernel.shape());
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      result[i * n + j] =
          kernel[i * n + j] - means[static_cast<std::size_t>(i)] - means[static_cast<std::size_t>(j)] + mean;
    }
  }
  return result;
}

/// Y Y^T: 1 where two samples have the same label.
Tensor<double> same_label(const std::vector<Index>& labels) {
  const auto n = static_cast<Index>(labels.size());
  Tensor<double> result({n, n});
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      result[i * n + j] = labels[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(j)] ? 1 : 0;
    }
  }
  return result;
}

}  // namespace

template <class T>
Tensor<double> small_kernel(const differentiate::Program<T>& program, const Tensor<T>& rows, const Tensor<T>* columns,
                            ValueId of, const std::string& reduce, const Context& context) {
  const Graph& graph = program.graph();
  const Shape& outputs = graph.shape(of);
  const auto lowered = kernel::lower(kernel::parse_reduction(reduce), outputs);
  const auto basis = differentiate::Basis::sums(outputs.elements(), lowered.members);
  const differentiate::NetworkFactors<T> row_factors(program, rows, of, basis, context);
  std::optional<differentiate::NetworkFactors<T>> column_factors;
  std::optional<differentiate::FactorsOfBoth<T>> both;
  if (columns != nullptr) {
    column_factors.emplace(program, *columns, of, basis, context);
    both.emplace(program, rows, *columns, of, basis, context);
  }
  const kernel::Assembly<T> assembly{.rows = &row_factors, .columns = column_factors ? &*column_factors : nullptr,
                                     .both = both ? both->get() : nullptr, .layout = lowered.layout, .parts = kernel::divide(graph, kernel::PartsBy::total),
                                     .sizes = parameter_sizes(graph), .divisor = lowered.divisor};
  const Index n1 = rows.shape()[0];
  const Index n2 = columns != nullptr ? columns->shape()[0] : n1;
  const Shape shape = lowered.kernel_shape(n1, n2);
  const auto bytes = static_cast<std::size_t>(shape.elements()) * (sizeof(T) + sizeof(double));
  const Reservation memory(context.memory, bytes, "a kernel of shape " + to_string(shape));
  kernel::MemoryStore<T> store(1, shape, n1 * lowered.layout.full, n2 * lowered.layout.full);
  kernel::assemble(assembly, store, context);
  auto result = Tensor<double>::uninitialized(shape);
  std::ranges::copy(store.part(0), result.begin());
  return result;
}

std::vector<Index> spread(Index count, Index total) {
  std::vector<Index> numbers;
  const Index used = std::min(count, total);
  for (Index k = 0; k < used; ++k) numbers.push_back(k * total / used);
  return numbers;
}

template <class T>
train::Samples<T> labelled_samples(const Loaded& loaded, const train::Loss& loss) {
  if (!loaded.data.labels) {
    throw Error(ErrorKind::input, {.what = "training needs labels, and the data have none", .where = loaded.data.name, .got = {},
                                   .expected = "one class for each sample", .cure = "Name a file of them with --labels"});
  }
  train::Samples<T> samples{.inputs = samples_in<T>(loaded)->clone(), .labels = *loaded.data.labels};
  if (samples.count() == 0) {
    throw Error(ErrorKind::input, {.what = "there are no samples", .where = loaded.data.name, .got = "0",
                                   .expected = "1 or more", .cure = {}});
  }
  train::check_labels(samples.labels, samples.count(), loss.classes(), loaded.data.name);
  return samples;
}

template <class T>
train::Samples<T> chosen(const train::Samples<T>& samples, const std::vector<Index>& numbers) {
  Shape shape = samples.inputs.shape();
  const Index size = shape.elements(1, shape.rank());
  shape[0] = static_cast<Index>(numbers.size());
  train::Samples<T> result{.inputs = Tensor<T>::uninitialized(std::move(shape)), .labels = {}};
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    std::copy_n(samples.inputs.data() + numbers[k] * size, size, result.inputs.data() + static_cast<Index>(k) * size);
    result.labels.push_back(samples.labels[static_cast<std::size_t>(numbers[k])]);
  }
  return result;
}

template <class T>
RateBound rate_bound(const differentiate::Program<T>& program, const train::Loss& loss, const train::Samples<T>& samples,
                     double momentum, const Context& context) {
  const differentiate::NetworkFactors<T> factors(program, samples.inputs, loss.of(), curvature_roots(loss), context);
  const auto count = static_cast<double>(samples.count());
  kernel::OperatorSpec<T> spec{.rows = &factors, .columns = nullptr, .layout = {.planes = 1, .full = loss.classes(), .inner = 1},
                               .plane = 0, .sizes = parameter_sizes(program.graph()), .divisor = count};
  const kernel::KernelOperator<T> kernel(std::move(spec), context);
  const auto found =
      analysis::largest_eigenpairs(kernel, {.count = 1, .tolerance = bound_tolerance, .block = 2}, context);
  RateBound result{.samples = samples.count(), .converged = found.converged};
  result.largest_eigenvalue = found.values.empty() ? 0 : found.values.front();
  result.bound = 2 * (1 + momentum) / result.largest_eigenvalue;
  const bool mse = loss.kind() == train::LossKind::mse;
  result.formula = std::string(momentum > 0 ? "2 (1 + momentum)" : "2") + " / lambda, lambda the largest eigenvalue of " +
                   (mse ? "the kernel of " : "the Gauss-Newton matrix by ") + program.graph().value(loss.of()).name +
                   (mse ? ", divided by the samples" : "");
  return result;
}

KernelMotion::KernelMotion(Tensor<double> initial, std::vector<Index> labels, Index top)
    : initial_(std::move(initial)),
      initial_centred_(centred(initial_)),
      labels_(same_label(labels)),
      labels_centred_(centred(labels_)),
      top_(top) {}

KernelMoment KernelMotion::moment(Index epoch, const Tensor<double>& kernel, const Context& context) const {
  const Index n = kernel.shape()[0];
  const Tensor<double> centred_kernel = centred(kernel);
  KernelMoment result{.epoch = epoch, .alignment = cosine(kernel, initial_),
                      .alignment_centred = cosine(centred_kernel, initial_centred_), .labels = cosine(kernel, labels_),
                      .labels_centred = cosine(centred_kernel, labels_centred_), .eigenvalues = {}};
  Tensor<double> difference = kernel.clone();
  for (Index i = 0; i < kernel.size(); ++i) difference[i] -= initial_[i];
  result.distance = std::sqrt(inner(difference, difference) / inner(initial_, initial_));
  for (Index i = 0; i < n; ++i) result.trace += kernel[i * n + i];
  Tensor<double> copy = kernel.clone();
  const auto eigen = linalg::symmetric_eigen(matrix(copy.data(), n, n), false, context.pool.size());
  if (!eigen.converged) {
    throw Error(ErrorKind::numerics, {.what = "the eigenvalues of the kernel were not found",
                                      .where = "epoch " + std::to_string(epoch), .got = {}, .expected = {}, .cure = {}});
  }
  for (Index k = 0; k < std::min(top_, n); ++k) result.eigenvalues.push_back(eigen.values[n - 1 - k]);
  return result;
}

#define TANGRA_INSTANTIATE(T)                                                                                   \
  template Tensor<double> small_kernel<T>(const differentiate::Program<T>&, const Tensor<T>&, const Tensor<T>*, \
                                          ValueId, const std::string&, const Context&);                         \
  template train::Samples<T> labelled_samples<T>(const Loaded&, const train::Loss&);                            \
  template train::Samples<T> chosen<T>(const train::Samples<T>&, const std::vector<Index>&);                   \
  template RateBound rate_bound<T>(const differentiate::Program<T>&, const train::Loss&,                       \
                                   const train::Samples<T>&, double, const Context&);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::run
