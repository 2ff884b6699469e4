#include "tangra/run/kernel/network_kernel.h"

#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/differentiate/network_factors.h"
#include "tangra/kernel/kernel_operator.h"
#include "tangra/run/kernel/needs.h"

namespace tangra::run {
namespace {

template <class T>
class TypedOperator final : public NetworkOperator {
 public:
  TypedOperator(const KernelJob& job, const Context& context)
      : program_(job.rows.graph, context),
        inputs_(samples_in<T>(job.rows)),
        scratch_(context.memory, scratch_bytes(*job.rows.graph, sizeof(T), context) + lapack_bytes, "what threads keep of products"),
        rows_(program_, *inputs_, job.of, job.seeds(), context) {
    if (job.columns != nullptr) {
      other_inputs_ = samples_in<T>(*job.columns);
      columns_.emplace(program_, *other_inputs_, job.of, job.seeds(), context);
    }
    kernel::OperatorSpec<T> spec{.rows = &rows_, .columns = columns_ ? &*columns_ : nullptr, .layout = job.lowered.layout,
                                 .plane = 0, .sizes = {}, .divisor = job.lowered.divisor};
    for (const Parameter& parameter : job.rows.graph->parameters) spec.sizes.push_back(parameter.data.size());
    operator_.emplace(std::move(spec), context);
  }
  const linalg::LinearOperator& get() const override { return *operator_; }

 private:
  differentiate::Program<T> program_;
  SharedSamples<T> inputs_;
  SharedSamples<T> other_inputs_;
  Reservation scratch_;
  differentiate::NetworkFactors<T> rows_;
  std::optional<differentiate::NetworkFactors<T>> columns_;
  std::optional<kernel::KernelOperator<T>> operator_;
};

template <class T>
Tensor<double> outputs_in(const Loaded& loaded, ValueId of, const Context& context) {
  constexpr Index block = outputs_block;
  const differentiate::Program<T> program(loaded.graph, context);
  const SharedSamples<T> shared = samples_in<T>(loaded);
  const Tensor<T>& inputs = *shared;
  const Index samples = inputs.shape()[0], outputs = loaded.graph->shape(of).elements();
  Tensor<double> result = Tensor<double>::uninitialized(Shape{samples, outputs});
  for (Index begin = 0; begin < samples; begin += block) {
    context.check_cancelled();
    std::vector<Tensor<T>> own;
    own.push_back(differentiate::rows_of(inputs, begin, std::min(samples, begin + block)));
    const auto activations = differentiate::forward(program, std::move(own), context);
    differentiate::require_finite(program, activations, of, begin);
    std::ranges::copy(activations[of], result.data() + begin * outputs);
  }
  return result;
}

/// The softmax whose outputs the job differentiates, and the length of its axis; none where there is another operator.
std::optional<std::pair<const Node*, Index>> last_softmax(const Graph& graph, ValueId of) {
  const NodeId producer = graph.value(of).producer;
  if (producer == no_id) return std::nullopt;
  const Node& node = graph.node(producer);
  if (node.op != "Softmax" && node.op != "LogSoftmax") return std::nullopt;
  const Shape& shape = graph.shape(of);
  const Index axis = node.attributes.integer("axis", -1);
  return std::pair{&node, shape[axis < 0 ? axis + shape.rank() : axis]};
}

double unit_roundoff(DType type) { return type == DType::float64 ? 0x1p-53 : 0x1p-24; }

KernelResult computed(const KernelJob& job, DType type, Session& session) {
  KernelResult result;
  if (type == DType::float64) {
    compute_kernel<double>(job, session, result);
  } else {
    compute_kernel<float>(job, session, result);
  }
  TANGRA_ENSURE(result.arrays.size() == 1);
  return result;
}

}  // namespace

double network_trace(const KernelJob& job, DType type, Session& session, analysis::EntryErrors& errors) {
  KernelSpec spec = job.spec;
  spec.pairs = Pairs::self;
  Loaded rows = job.rows;  // shares the samples, which stay for others
  const KernelResult result = computed(kernel_job(spec, rows, nullptr), type, session);
  errors.storage_epsilon = unit_roundoff(type);
  errors.relative = result.measured_error ? result.measured_error->rms : 0;
  return result.statistics.trace;
}

Tensor<double> network_self(const KernelJob& job, DType type, Session& session) {
  TANGRA_ENSURE(job.spec.pairs == Pairs::self);
  return computed(job, type, session).arrays.front().array.converted<double>();
}

std::unique_ptr<NetworkOperator> network_operator(const KernelJob& job, DType type, const Context& context) {
  if (job.lowered.layout.planes > 1) {
    throw Error(ErrorKind::usage, {.what = "a diagonal kernel is one kernel for each output", .where = "--reduce",
                                   .got = "diagonal", .expected = "full, trace, mean, sum or output=K", .cure = {}});
  }
  if (type == DType::float64) return std::make_unique<TypedOperator<double>>(job, context);
  return std::make_unique<TypedOperator<float>>(job, context);
}

NetworkMatrix network_matrix(const KernelJob& job, DType type, Session& session) {
  NetworkMatrix matrix{.entries = {}, .memory = {}, .errors = {}, .result = computed(job, type, session)};
  const Context& context = session.context();
  const Array array = std::move(matrix.result.arrays.front().array);
  matrix.result.arrays.clear();
  const Reservation of_array(context.memory, array.bytes(), "the kernel");
  matrix.memory = Reservation(context.memory, static_cast<std::size_t>(array.size()) * sizeof(double), "the kernel in float64");
  matrix.entries = array.converted<double>();
  const bool by_parameters = job.spec.space == Space::parameters;
  const Index rows = by_parameters ? array.shape()[0] : kernel_size(job);
  matrix.entries.reshape(Shape{rows, rows == 0 ? 0 : array.size() / rows});
  matrix.errors.storage_epsilon = unit_roundoff(type);
  if (matrix.result.measured_error) matrix.errors.relative = matrix.result.measured_error->rms;
  return matrix;
}

Tensor<double> network_outputs(const Loaded& loaded, ValueId of, DType type, const Context& context) {
  return type == DType::float64 ? outputs_in<double>(loaded, of, context) : outputs_in<float>(loaded, of, context);
}

Index kernel_size(const KernelJob& job) { return job.rows.summary.samples * job.lowered.layout.full; }

std::vector<analysis::NullSpace> known_null_spaces(const KernelJob& job) {
  std::vector<analysis::NullSpace> found;
  if (!job.spec.conjugate.empty()) return found;
  const Graph& graph = *job.rows.graph;
  const Index samples = job.rows.summary.samples, rows = kernel_size(job);
  const std::string each = " for each of the " + std::to_string(samples) + " samples";
  const auto softmax = job.basis ? std::nullopt : last_softmax(graph, job.of);
  if (softmax) {
    const Index outputs = graph.shape(job.of).elements();
    const bool logarithm = softmax->first->op == "LogSoftmax";
    const std::string reason = std::string(logarithm ? "the probabilities behind a log-softmax" : "a softmax's outputs") + " add up to 1";
    if (job.reduction.is(kernel::AxisReduction::full)) {
      found.push_back({.dimension = samples * (outputs / softmax->second), .reason = reason + each});
    } else if (job.reduction.is(kernel::AxisReduction::sum) && !logarithm) {
      found.push_back({.dimension = samples, .reason = reason + each + ", so their sum does not move"});
    }
  }
  // K is a sum of `inner` products of a matrix with P columns and its transpose.
  const Index rank = graph.parameter_count() * job.lowered.layout.inner;
  if (rows > rank) {
    found.push_back({.dimension = rows - rank,
                     .reason = "the kernel has " + std::to_string(rows) + " rows and, with " +
                               std::to_string(graph.parameter_count()) + " parameters, rank " + std::to_string(rank) + " at most"});
  }
  return found;
}

}  // namespace tangra::run
