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
    }
    outputs_ = op_.infer(node_, shapes_);
    for (int attempt = 0; attempt < 200; ++attempt) {
      draw_inputs(one);
      forward(inputs_);
      if (is_far_from_kinks()) break;
    }
  }

  Index inputs() const { return static_cast<Index>(shapes_.size()); }
  Index rows(std::size_t k) const { return shared_[k] ? 1 : samples; }
  /// Entries of all outputs together; where there are several, they stand behind one another here.
  Index out_size() const {
    Index size = 0;
    for (const Shape& shape : outputs_) size += shape.elements();
    return size;
  }

  Tensor<T> drawn(const Shape& shape, double low, double high) {
    std::uniform_real_distribution<double> uniform(low, high);
    Tensor<T> tensor(shape);
    for (T& entry : tensor) entry = static_cast<T>(uniform(random_));
    return tensor;
  }

  /// A direction for every input: zero for those that stay where they are.
  std::vector<Tensor<T>> drawn_tangents() {
    std::vector<Tensor<T>> tangents;
    for (std::size_t k = 0; k < shapes_.size(); ++k) {
      const bool moves = whole_[k] == nullptr;
      const Shape shape = shapes_[k].with_leading(directions).with_leading(rows(k));
      tangents.push_back(moves ? drawn(shape, -1, 1) : Tensor<T>(shape));
    }
    return tangents;
  }

  Tensor<T> forward(const std::vector<Tensor<T>>& inputs) {
    const std::vector<Operand<T>> operands = operands_of(inputs, 1);
    result_ = poisoned(samples);
    op_.forward(call(operands, {}), pointers_to(result_));
    out_ = operands_of_outputs();
    return packed(result_, samples);
  }

  /// For every input [n, R, shape].
  std::vector<Tensor<T>> pull(const Tensor<T>& cotangents) {
    std::vector<Tensor<T>> results;
    std::vector<T*> pointers;
    for (std::size_t k = 0; k < shapes_.size(); ++k) {
      results.emplace_back(shapes_[k].with_leading(directions).with_leading(samples));
      pointers.push_back(whole_[k] == nullptr ? results.back().data() : nullptr);
    }
    const std::vector<Operand<T>> operands = operands_of(inputs_, 1);
    const std::vector<Tensor<T>> apart = unpacked(cotangents);
    std::vector<const T*> from;
    for (const Tensor<T>& cotangent : apart) from.push_back(cotangent.data());
    op_.pullback(call(operands, out_), directions, from, pointers);
    return results;
  }

  Tensor<T> push(const std::vector<Tensor<T>>& tangents) {
    std::vector<Tensor<T>> results = poisoned(samples * directions);
    const std::vector<Operand<T>> operands = operands_of(inputs_, 1);
    std::vector<Operand<T>> directions_of = operands_of(tangents, directions);
    for (std::size_t k = 0; k < whole_.size(); ++k) {
      if (whole_[k] != nullptr) directions_of[k] = {};
    }
    op_.pushforward(call(operands, out_), directions, directions_of, pointers_to(results));
    return packed(results, samples * directions);
  }

  OuterUse<T> outer(const Tensor<T>& cotangents, int input) {
    operands_ = operands_of(inputs_, 1);
    return op_.outer_use(call(operands_, out_), directions, cotangents.data(), input);
  }

  const Op& op() const { return op_; }
  const Node& node() const { return node_; }
  const std::vector<Shape>& shapes() const { return shapes_; }
  const std::vector<Tensor<T>>& values() const { return inputs_; }
  Shape out_shape() const { return outputs_.size() == 1 ? outputs_[0] : Shape{out_size()}; }
  bool is_shared(std::size_t k) const { return shared_[k]; }

 private:
  void draw_inputs(const Case& one) {
    inputs_.clear();
    whole_.assign(shapes_.size(), nullptr);
    for (const Whole& whole : one.whole) whole_[whole.input] = &whole;
    for (std::size_t k = 0; k < shapes_.size(); ++k) {
      const Shape shape = shapes_[k].with_leading(rows(k));
      inputs_.push_back(whole_[k] == nullptr ? drawn(shape, one.low, one.high)
                                             : drawn(shape, whole_[k]->low, whole_[k]->high + 1));
      for (T& entry : inputs_.back()) entry = whole_[k] == nullptr ? entry : std::floor(entry);
    }
  }

  /// Whether finite differences with steps of 2e-3 stay on the same side of every kink.
  bool is_far_from_kinks() {
    constexpr double distance = 4e-3;
    for (const double kink : op_.kinks(node_)) {
      for (const T x : inputs_[0]) {
        if (std::abs(static_cast<double>(x) - kink) < distance) return false;
      }
    }
    const std::vector<Operand<T>> operands = operands_of(inputs_, 1);
    for (const Choice& choice : op_.choices(call(operands, out_))) {
      if (choice.lead < distance && whole_[0] == nullptr) return false;
    }
    return true;
  }

  /// Memory for every output, filled with NaN.
  std::vector<Tensor<T>> poisoned(Index rows) const {
    std::vector<Tensor<T>> results;
    for (const Shape& shape : outputs_) {
      results.push_back(Tensor<T>::uninitialized(shape.with_leading(rows)));
      std::fill(results.back().begin(), results.back().end(), static_cast<T>(std::nan("")));
    }
    return results;
  }

  static std::vector<T*> pointers_to(std::vector<Tensor<T>>& tensors) {
    std::vector<T*> pointers;
    for (Tensor<T>& tensor : tensors) pointers.push_back(tensor.data());
    return pointers;
  }

  std::vector<Operand<T>> operands_of_outputs() const {
    std::vector<Operand<T>> operands;
    for (std::size_t k = 0; k < outputs_.size(); ++k) {
      operands.push_back({result_[k].data(), outputs_[k].elements()});
    }
    return operands;
  }

  /// All outputs of a row behind one another: [rows, all entries].
  Tensor<T> packed(const std::vector<Tensor<T>>& apart, Index rows) const {
    auto together = Tensor<T>::uninitialized({rows, out_size()});
    T* to = together.data();
    for (Index row = 0; row < rows; ++row) {
      for (const Tensor<T>& one : apart) {
        const Index size = one.size() / rows;
        to = std::copy_n(one.data() + row * size, size, to);
      }
    }
    return together;
  }

  std::vector<Tensor<T>> unpacked(const Tensor<T>& together) const {
    std::vector<Tensor<T>> apart = poisoned(samples * directions);
    const T* from = together.data();
    for (Index row = 0; row < samples * directions; ++row) {
      for (Tensor<T>& one : apart) {
        const Index size = one.size() / (samples * directions);
        std::copy_n(from, size, one.data() + row * size);
        from += size;
      }
    }
    return apart;
  }

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
  std::vector<const Whole*> whole_;  ///< null where an input may move
  std::vector<Tensor<T>> inputs_;
  std::vector<Tensor<T>> result_;
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
  const std::vector<Tensor<T>> t = bench.drawn_tangents();
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
    const std::vector<Tensor<double>> t = bench.drawn_tangents();
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
      if (!bench.is_shared(0)) {
        const Index made = use.left.size() + use.right.size();
        EXPECT_EQ(made, samples * bench.op().outer_entries(bench.node(), bench.shapes(), k, directions));
      }
      const Index entries = use.channels * use.fan_in;
      const Index width = use.groups * use.fan_in;
      const Index each = use.channels / use.groups;
      for (Index row = 0; row < samples * directions; ++row) {
        for (Index c = 0; c < use.channels; ++c) {
          for (Index f = 0; f < use.fan_in; ++f) {
            double sum = 0;
            for (Index d = 0; d < use.positions; ++d) {
              if (use.gathers) {
                const bool named = right[row / directions * use.positions + d] == static_cast<double>(c);
                if (named) sum += left[(row * use.positions + d) * use.fan_in + f];
                continue;
              }
              const Index column = c / each * use.fan_in + f;
              const Index at_left = use.left_by_channel ? c * use.positions + d : d * use.channels + c;
              const Index at_right = use.right_by_channel ? column * use.positions + d : d * width + column;
              sum += left[row * use.positions * use.channels + at_left] *
                     right[row / directions * use.positions * width + at_right];
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
