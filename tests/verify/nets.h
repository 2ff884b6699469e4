#pragma once
#include <string>
#include <vector>

#include "support/support.h"
#include "tangra/base/rng.h"
#include "tangra/ops/builder.h"
#include "tangra/verify/verify.h"

namespace tangra::verify::test {

/// A GraphBuilder with random parameters, healthy in size: weights of variance 1 / fan-in, biases of size
/// 0.1.
class RandomNet {
 public:
  explicit RandomNet(std::uint64_t seed) : random_(seed, 0) {}

  ops::GraphBuilder& builder() { return builder_; }
  ValueId input(Index features) { return builder_.input("x", {features}); }
  ValueId parameter(const std::string& name, Shape shape, double scale, double centre = 0);
  ValueId weight(const std::string& name, Index out, Index in);
  ValueId apply(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {});
  /// Linear with a weight "NAME.weight" and, where asked for, a bias "NAME.bias".
  ValueId dense(const std::string& name, ValueId x, Index out, bool bias = true);
  Index width(ValueId value) const { return builder_.shape(value).back(); }
  /// Standard normal entries.
  Tensor<double> samples(Shape shape);
  /// The problem of differentiating `of` for `samples` random samples.
  Problem problem(ValueId of, Index samples, const std::string& reduction);

 private:
  double normal() { return random_.normal(drawn_++); }

  ops::GraphBuilder builder_;
  RandomStream random_;
  std::uint64_t drawn_ = 0;
  int nodes_ = 0;
};

/// verify() with the default methods.
VerifyResult verified(const Problem& problem, const VerifyOptions& options = {});

/// Fails the test, with the pair that parts, unless all methods agree.
void expect_agreement(const Problem& problem, const std::string& what);

extern const std::vector<std::string> reductions;

}  // namespace tangra::verify::test
