#include "tangra/base/error.h"
#include "tangra/differentiate/network_factors.h"
#include "tangra/kernel/kernel_operator.h"
#include "tangra/run/kernel_run.h"

namespace tangra::run {
namespace {

/// The network, its samples and what was made of the specification; before anything that points to them.
struct Prepared {
  Prepared(const KernelSpec& asked, const Caller& caller)
      : spec(asked), session(spec.resources, caller), rows(load(spec.model, spec.data)) {
    if (spec.data2) columns = load_second(rows, *spec.data2);
    session.count_resident();
  }

  KernelSpec spec;
  Session session;
  Loaded rows;
  std::optional<Loaded> columns;
};

template <class T>
class KernelOperatorOf final : public Operator {
 public:
  explicit KernelOperatorOf(std::unique_ptr<Prepared> prepared)
      : prepared_(std::move(prepared)),
        job_(prepared_job(prepared_->spec, prepared_->rows, prepared_->columns ? &*prepared_->columns : nullptr)),
        program_(prepared_->rows.graph, context()),
        row_inputs_(samples_in<T>(prepared_->rows)),
        rows_(program_, row_inputs_, job_.of, job_.seeds(), context()) {
    if (job_.lowered.keeps_planes) {
      throw Error(ErrorKind::usage, {.what = "a diagonal kernel is one operator for each output", .where = "--reduce",
                                     .got = "diagonal", .expected = "full, trace, mean, sum or output=K", .cure = {}});
    }
    if (prepared_->columns) {
      column_inputs_ = samples_in<T>(*prepared_->columns);
      columns_.emplace(program_, column_inputs_, job_.of, job_.seeds(), context());
    }
    kernel::OperatorSpec<T> spec{.rows = &rows_, .columns = columns_ ? &*columns_ : nullptr, .layout = job_.lowered.layout,
                                 .plane = 0, .sizes = {}, .divisor = job_.lowered.divisor};
    for (const Parameter& parameter : prepared_->rows.graph->parameters) spec.sizes.push_back(parameter.data.size());
    operator_.emplace(std::move(spec), context());
  }

  Index rows() const override { return operator_->rows(); }
  Index columns() const override { return operator_->columns(); }
  DType precision() const override { return dtype_of<T>(); }
  void apply(MatrixView<const double> x, MatrixView<double> y) const override { operator_->apply(x, y, context()); }

 private:
  const Context& context() const { return prepared_->session.context(); }

  std::unique_ptr<Prepared> prepared_;
  KernelJob job_;
  differentiate::Program<T> program_;
  Tensor<T> row_inputs_;
  Tensor<T> column_inputs_;
  differentiate::NetworkFactors<T> rows_;
  std::optional<differentiate::NetworkFactors<T>> columns_;
  std::optional<kernel::KernelOperator<T>> operator_;
};

}  // namespace

std::unique_ptr<Operator> make_operator(const KernelSpec& spec, const Caller& caller) {
  spec.validate();
  if (spec.by != By::total || spec.pairs != Pairs::all || spec.space != Space::samples || !spec.conjugate.empty() ||
      spec.method != Method::automatic || !spec.out.empty()) {
    throw Error(ErrorKind::usage, {.what = "an operator is the total kernel of all pairs of samples", .where = "operator",
                                   .got = {}, .expected = {}, .cure = "Leave the other options out"});
  }
  auto prepared = std::make_unique<Prepared>(spec, caller);
  if (compute_type(spec.precision, *prepared->rows.graph) == DType::float64) {
    return std::make_unique<KernelOperatorOf<double>>(std::move(prepared));
  }
  return std::make_unique<KernelOperatorOf<float>>(std::move(prepared));
}

}  // namespace tangra::run
