#include "tangra/base/error.h"
#include "tangra/run/kernel/network_kernel.h"

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

class PreparedOperator final : public Operator {
 public:
  explicit PreparedOperator(std::unique_ptr<Prepared> prepared)
      : prepared_(std::move(prepared)),
        job_(kernel_job(prepared_->spec, prepared_->rows, prepared_->columns ? &*prepared_->columns : nullptr)),
        type_(compute_type(prepared_->spec.precision, *prepared_->rows.graph)),
        operator_(network_operator(job_, type_, prepared_->session.context())) {}

  Index rows() const override { return operator_->get().rows(); }
  Index columns() const override { return operator_->get().columns(); }
  DType precision() const override { return type_; }
  void apply(MatrixView<const double> x, MatrixView<double> y) const override {
    operator_->get().apply(x, y, prepared_->session.context());
  }

 private:
  std::unique_ptr<Prepared> prepared_;
  KernelJob job_;
  DType type_;
  std::unique_ptr<NetworkOperator> operator_;
};

}  // namespace

std::unique_ptr<Operator> make_operator(const KernelSpec& spec, const Caller& caller) {
  spec.validate();
  if (spec.by != By::total || spec.pairs != Pairs::all || spec.space != Space::samples || !spec.conjugate.empty() ||
      spec.method != Method::automatic || !spec.out.empty()) {
    throw Error(ErrorKind::usage, {.what = "an operator is the total kernel of all pairs of samples", .where = "operator",
                                   .got = {}, .expected = {}, .cure = "Leave the other options out"});
  }
  return std::make_unique<PreparedOperator>(std::make_unique<Prepared>(spec, caller));
}

}  // namespace tangra::run
