// Every operator of the table, over all its cases: pull-back and push-forward belong together, agree with finite
// differences, and a structured use gives the same numbers as the explicit row.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "ops/cases.h"
#include "support/support.h"
#include "tangra/ops/op.h"

namespace tangra::ops {
namespace {

constexpr Index samples = 3;
constexpr Index directions = 2;

/// One operator on random operands, of which some may be the same for every sample.
template <class T>
class Bench {
 public:
  Bench(const Case& one, unsigned batch_free_mask, unsigned seed, linalg::Engine engine)
      : op_(*find_op(one.op)), engine_(engine), random_(seed) {
    node_ = {.op = one.op, .name = "node", .attributes = one.attributes, .inputs = {}, .outputs = {0}};
    for (std::size_t k = 0; k < one.inputs.size(); ++k) {
      node_.inputs.push_back(static_cast<ValueId>(k));
      shapes_.push_back(one.inputs[k]);
      shared_.push_back((batch_free_mask >> k & 1) != 0);
      inputs_.push_back(drawn(one.inputs[k].with_leading(rows(k)), one.low, one.high));
    }
    outputs_ = op_.infer(node_, shapes_);
    result_ = forward(inputs_);
  }

  Index inputs() const { return static_cast<Index>(shapes_.size()); }
  Index rows(std::size_t k) const { return shared_[k] ? 1 : samples; }
  Index out_size() const { return outputs_[0].elements(); }

  Tensor<T> drawn(const Shape& shape, double low, double high) {
    std::uniform_real_distribution<double> uniform(low, high);
    Tensor<T> tensor(shape);
    for (T& entry : tensor) entry = static_cast<T>(uniform(random_));
    return tensor;
  }

  Tensor<T> forward(const std::vector<Tensor<T>>& inputs) {
    auto result = Tensor<T>::uninitialized(outputs_[0].with_leading(samples));
    std::fill(result.begin(), result.end(), std::nan(""));
    const std::vector<Operand<T>> operands = operands_of(inputs, 1);
    std::vector<T*> results{result.data()};
    op_.forward(call(operands, {}), results);
    return result;
  }

  /// For every input [n, R, shape].
  std::vector<Tensor<T>> pull(const Tensor<T>& cotangents) {
    std::vector<Tensor<T>> results;
    std::vector<T*> pointers;
    for (const Shape& shape : shapes_) {
      results.emplace_back(shape.with_leading(directions).with_leading(samples));
      pointers.push_back(results.back().data());
    }
    const std::vector<Operand<T>> operands = operands_of(inputs_, 1);
    const std::vector<Operand<T>> out{{result_.data(), out_size()}};
    std::vector<const T*> from{cotangents.data()};
    op_.pullback(call(operands, out), directions, from, pointers);
    return results;
  }

  Tensor<T> push(const std::vector<Tensor<T>>& tangents) {
    auto result = Tensor<T>::uninitialized(outputs_[0].with_leading(directions).with_leading(samples));
    std::fill(result.begin(), result.end(), std::nan(""));
    const std::vector<Operand<T>> operands = operands_of(inputs_, 1);
    const std::vector<Operand<T>> out{{result_.data(), out_size()}};
    const std::vector<Operand<T>> directions_of = operands_of(tangents, directions);
    std::vector<T*> results{result.data()};
    op_.pushforward(call(operands, out), directions, directions_of, results);
    return result;
  }

  OuterUse<T> outer(const Tensor<T>& cotangents, int input) {
    operands_ = operands_of(inputs_, 1);
    out_ = {{result_.data(), out_size()}};
    return op_.outer_use(call(operands_, out_), directions, cotangents.data(), input);
  }

  const Op& op() const { return op_; }
  const Node& node() const { return node_; }
  const std::vector<Shape>& shapes() const { return shapes_; }
  const std::vector<Tensor<T>>& values() const { return inputs_; }
  const Shape& out_shape() const { return outputs_[0]; }
  bool is_shared(std::size_t k) const { return shared_[k]; }

 private:
  std::vector<Operand<T>> operands_of(const std::vector<Tensor<T>>& tensors, Index per_sample) {
    std::vector<Operand<T>> operands;
    for (std::size_t k = 0; k < tensors.size(); ++k) {
      operands.push_back({tensors[k].data(), shared_[k] ? 0 : per_sample * shapes_[k].elements()});
    }
    return operands;
  }

  Call<T> call(const std::vector<Operand<T>>& inputs, const std::vector<Operand<T>>& outputs) {
    return {.context = context_.context, .engine = engine_, .node = node_, .input_shapes = shapes_, .output_shapes = outputs_,
            .samples = samples, .inputs = inputs, .outputs = outputs, .sides = inputs};
  }

  const Op& op_;
  linalg::Engine engine_;
  std::mt19937 random_;
  test::TestContext context_;
  Node node_;
  std::vector<Shape> shapes_;
  std::vector<Shape> outputs_;
  std::vector<bool> shared_;
  std::vector<Tensor<T>> inputs_;
  Tensor<T> result_;
  std::vector<Operand<T>> operands_;
  std::vector<Operand<T>> out_;
};

/// Every case with every choice of batch-free inputs that leaves one that depends on the sample.
template <class Body>
void each_case(const Body& body) {
  unsigned seed = 1;
  for (const Case& one : all_cases()) {
    for (unsigned mask = 0; mask + 1 < 1U << one.inputs.size(); ++mask) {
      SCOPED_TRACE(to_string(one) + ", batch-free " + std::to_string(mask));
      body(one, mask, ++seed);
    }
  }
}

template <class T>
void check_adjoint(const Case& one, unsigned mask, unsigned seed, linalg::Engine engine) {
  Bench<T> bench(one, mask, seed, engine);
  const Tensor<T> u = bench.drawn(bench.out_shape().with_leading(directions).with_leading(samples), -1, 1);
  std::vector<Tensor<T>> t;
  for (std::size_t k = 0; k < bench.shapes().size(); ++k) {
    t.push_back(bench.drawn(bench.shapes()[k].with_leading(directions).with_leading(bench.rows(k)), -1, 1));
  }
  const Tensor<T> pushed = bench.push(t);
  const std::vector<Tensor<T>> pulled = bench.pull(u);
  for (Index row = 0; row < samples * directions; ++row) {
    double left = 0;
    double size = 0;
    for (Index e = 0; e < bench.out_size(); ++e) {
      const double term = static_cast<double>(pushed[row * bench.out_size() + e]) * static_cast<double>(u[row * bench.out_size() + e]);
      left += term;
      size += std::abs(term);
    }
    double right = 0;
    for (std::size_t k = 0; k < t.size(); ++k) {
      const Index entries = bench.shapes()[k].elements();
      const Index own_row = bench.is_shared(k) ? row % directions : row;
      for (Index e = 0; e < entries; ++e) {
        const double term = static_cast<double>(t[k][own_row * entries + e]) * static_cast<double>(pulled[k][row * entries + e]);
        right += term;
        size += std::abs(term);
      }
    }
    // Either side is a sum of at most a few dozen terms, each with a few roundings.
    EXPECT_NEAR(left, right, 64 * std::numeric_limits<T>::epsilon() * (size + 1e-30)) << "row " << row;
  }
}

TEST(Operators, EachHasCases) {
  std::set<std::string> covered;
  for (const Case& one : all_cases()) covered.insert(one.op);
  for (const std::string_view name : op_names()) EXPECT_TRUE(covered.contains(std::string(name))) << name;
}

TEST(Operators, PullBackIsTheAdjointOfPushForward) {
  each_case([](const Case& one, unsigned mask, unsigned seed) {
    check_adjoint<double>(one, mask, seed, linalg::Engine::fast);
    check_adjoint<double>(one, mask, seed, linalg::Engine::reference);
    check_adjoint<float>(one, mask, seed, linalg::Engine::fast);
  });
}

TEST(Operators, PushForwardAgreesWithFiniteDifferences) {
  each_case([](const Case& one, unsigned mask, unsigned seed) {
    Bench<double> bench(one, mask, seed, linalg::Engine::reference);
    std::vector<Tensor<double>> t;
    for (std::size_t k = 0; k < bench.shapes().size(); ++k) {
      t.push_back(bench.drawn(bench.shapes()[k].with_leading(directions).with_leading(bench.rows(k)), -1, 1));
    }
    const Tensor<double> pushed = bench.push(t);
    const auto moved = [&](double step, Index r) {
      std::vector<Tensor<double>> values;
      for (std::size_t k = 0; k < t.size(); ++k) {
        values.push_back(bench.values()[k].clone());
        const Index entries = bench.shapes()[k].elements();
        for (Index e = 0; e < values[k].size(); ++e) {
          values[k][e] += step * t[k][(e / std::max<Index>(1, entries) * directions + r) * entries + e % std::max<Index>(1, entries)];
        }
      }
      return bench.forward(values);
    };
    for (Index r = 0; r < directions; ++r) {
      // Fourth order: error h^4 f5 / 30 ~ 1e-13 and rounding eps / h ~ 1e-12, for functions and slopes of order 1 to 10.
      const double h = 1e-3;
      const Tensor<double> p1 = moved(h, r);
      const Tensor<double> m1 = moved(-h, r);
      const Tensor<double> p2 = moved(2 * h, r);
      const Tensor<double> m2 = moved(-2 * h, r);
      for (Index e = 0; e < p1.size(); ++e) {
        const double slope = (8 * (p1[e] - m1[e]) - (p2[e] - m2[e])) / (12 * h);
        const Index i = e / bench.out_size();
        const double exact = pushed[(i * directions + r) * bench.out_size() + e % bench.out_size()];
        EXPECT_NEAR(slope, exact, 1e-8 * (1 + std::abs(exact))) << "entry " << e;
      }
    }
  });
}

TEST(Operators, OuterUseGivesTheExplicitRows) {
  int uses = 0;
  each_case([&](const Case& one, unsigned mask, unsigned seed) {
    Bench<double> bench(one, mask, seed, linalg::Engine::fast);
    for (int k = 0; k < bench.inputs(); ++k) {
      if (!bench.is_shared(static_cast<std::size_t>(k)) || !bench.op().has_outer_form(bench.node(), bench.shapes(), k)) continue;
      ++uses;
      const Tensor<double> u = bench.drawn(bench.out_shape().with_leading(directions).with_leading(samples), -1, 1);
      const std::vector<Tensor<double>> pulled = bench.pull(u);
      const OuterUse<double> use = bench.outer(u, k);
      const double* left = use.left_is_cotangent ? u.data() : use.left.data();
      const double* right = use.right_is_input ? bench.values()[0].data() : use.right.data();
      const Index entries = use.channels * use.fan_in;
      for (Index row = 0; row < samples * directions; ++row) {
        for (Index c = 0; c < use.channels; ++c) {
          for (Index f = 0; f < use.fan_in; ++f) {
            double sum = 0;
            for (Index d = 0; d < use.positions; ++d) {
              sum += left[(row * use.positions + d) * use.channels + c] *
                     right[(row / directions * use.positions + d) * use.fan_in + f];
            }
            const Index place = use.transposed ? f * use.channels + c : c * use.fan_in + f;
            EXPECT_NEAR(sum, pulled[static_cast<std::size_t>(k)][row * entries + place], 1e-14);
          }
        }
      }
    }
  });
  EXPECT_GT(uses, 0);
}

}  // namespace
}  // namespace tangra::ops
