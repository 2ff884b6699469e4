// A parameter that is used twice, in every pair of ways that operators have of using it, against explicit rows by pull-backs,
// which know nothing of forms.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/verify/explicit_jacobian.h"

namespace tangra {
namespace {

using ops::GraphBuilder;
using Indices = std::vector<Index>;

/// The network under construction, with the parameter w (6, 4).
struct Site {
  GraphBuilder builder{"ties"};
  ValueId x;  ///< [24], in (-1, 1)
  ValueId w;
  int nodes = 0;

  ValueId apply(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return builder.apply(op, std::move(inputs), std::move(attributes), op + std::to_string(++nodes));
  }
  ValueId shaped(ValueId value, const Indices& shape) { return apply("Reshape", {value}, {{"shape", shape}}); }
  /// Entries [0, n) of x in a shape of n entries.
  ValueId part(const Indices& shape) {
    Index count = 1;
    for (const Index length : shape) count *= length;
    return shaped(apply("Slice", {x}, {{"starts", Indices{0}}, {"ends", Indices{count}}, {"axes", Indices{0}}}), shape);
  }
  /// Whole numbers below `limit` out of x.
  ValueId tokens(Index count, double limit) {
    const ValueId factor = builder.constant("limit" + std::to_string(++nodes), Array(test::random_tensor({1}, 1, limit, limit)));
    return apply("Floor", {apply("Mul", {apply("Abs", {part({count})}), factor})});
  }
  ValueId transposed(ValueId value) { return apply("Transpose", {value}, {{"perm", Indices{1, 0}}}); }
};

struct Use {
  const char* name;
  std::function<ValueId(Site&)> apply;
};

std::vector<Use> all_uses() {
  return {
      {"dense", [](Site& s) { return s.apply("Linear", {s.part({4}), s.w}); }},
      {"token-wise", [](Site& s) { return s.apply("Linear", {s.part({3, 4}), s.w}); }},
      {"transposed", [](Site& s) { return s.apply("Linear", {s.part({6}), s.w}, {{"transposed", Index{1}}}); }},
      {"token-wise transposed", [](Site& s) { return s.apply("MatMul", {s.part({4, 6}), s.w}); }},
      {"from the left", [](Site& s) { return s.apply("MatMul", {s.w, s.part({4, 3})}); }},
      {"einsum", [](Site& s) { return s.apply("Einsum", {s.part({3, 4}), s.w}, {{"equation", std::string("ti,oi->to")}}); }},
      {"convolution", [](Site& s) { return s.apply("Conv", {s.part({1, 4, 5}), s.shaped(s.w, {6, 1, 2, 2})}, {{"pads", Indices{1, 0, 0, 0}}}); }},
      {"grouped", [](Site& s) { return s.apply("Conv", {s.part({4, 5}), s.shaped(s.w, {6, 2, 2})}, {{"group", Index{2}}}); }},
      {"depthwise", [](Site& s) { return s.apply("Conv", {s.part({4, 6}), s.shaped(s.w, {4, 1, 6})}, {{"group", Index{4}}, {"pads", Indices{2, 1}}}); }},
      {"transposed convolution", [](Site& s) { return s.apply("ConvTranspose", {s.part({6, 4}), s.shaped(s.w, {6, 2, 2})}, {{"strides", Indices{2}}}); }},
      {"table", [](Site& s) { return s.apply("GatherData", {s.w, s.tokens(7, 6)}, {{"axis", Index{0}}}); }},
      {"table of the transpose", [](Site& s) { return s.apply("GatherData", {s.transposed(s.w), s.tokens(5, 4)}, {{"axis", Index{0}}}); }},
      {"gain", [](Site& s) { return s.apply("Mul", {s.part({1, 6, 4}), s.w}); }},
      {"exponent", [](Site& s) { return s.apply("Pow", {s.apply("Exp", {s.part({6, 4})}), s.w}); }},
      {"bias", [](Site& s) { return s.apply("Add", {s.part({6, 4}), s.w}); }},
      {"normalised", [](Site& s) {
         const ValueId length = s.apply("ReduceL2", {s.w}, {{"axes", Indices{1}}, {"keepdims", Index{1}}});
         return s.apply("Linear", {s.part({2, 4}), s.apply("Div", {s.w, length})});
       }},
      {"with its transpose", [](Site& s) { return s.apply("Linear", {s.part({3, 6}), s.apply("MatMul", {s.w, s.transposed(s.w)})}); }},
      {"rows of it", [](Site& s) {
         const ValueId rows = s.apply("Slice", {s.w}, {{"starts", Indices{1}}, {"ends", Indices{4}}, {"axes", Indices{0}}});
         return s.apply("Linear", {s.part({2, 4}), rows});
       }},
      {"columns of it", [](Site& s) {
         const ValueId columns = s.apply("Slice", {s.w}, {{"starts", Indices{1}}, {"ends", Indices{3}}, {"axes", Indices{1}}});
         return s.apply("Linear", {s.part({2}), columns});
       }},
      {"negative", [](Site& s) { return s.apply("Linear", {s.part({5, 4}), s.apply("Neg", {s.w})}); }},
  };
}

ValueId parameter(GraphBuilder& builder, const std::string& name, const Shape& shape, unsigned seed) {
  const Tensor<double> drawn = test::random_tensor(shape, seed, -0.7, 0.7);
  return builder.parameter(test::parameter(name, shape, std::vector<double>(drawn.begin(), drawn.end())));
}

/// Three outputs, each of which sees all of both uses.
std::shared_ptr<const Graph> tied(const Use& one, const Use& other) {
  Site site;
  site.x = site.builder.input("input", {24});
  site.w = parameter(site.builder, "w", {6, 4}, 5);
  ValueId sum = no_id;
  for (const Use* use : {&one, &other}) {
    const ValueId flat = site.shaped(site.apply("Tanh", {use->apply(site)}), {-1});
    const Index width = site.builder.shape(flat).elements();
    const unsigned number = sum == no_id ? 1 : 2;
    const ValueId head = parameter(site.builder, "head" + std::to_string(number), {3, width}, 7 + number);
    const ValueId seen = site.apply("Linear", {flat, head});
    sum = sum == no_id ? seen : site.apply("Add", {sum, seen});
  }
  site.builder.output(site.apply("Softplus", {sum}));
  return std::make_shared<const Graph>(site.builder.finish());
}

/// Odd multiples of 1/64: times 4 or 6 they are no whole numbers, so that tokens are the same in both types.
Tensor<double> samples() {
  Tensor<double> x = test::random_tensor({3, 24}, 9);
  for (double& entry : x) entry = (std::floor(entry * 31) + 0.5) / 32;
  return x;
}

/// The kernel of w by pull-backs alone, in float64.
Tensor<double> by_explicit_rows(const std::shared_ptr<const Graph>& graph, const std::string& reduce, const Context& context) {
  const verify::Problem problem = verify::problem_of(graph, samples(), graph->outputs[0], kernel::parse_reduction(reduce));
  const differentiate::Program<double> program(graph, context, linalg::Engine::reference);
  return verify::gram(verify::explicit_jacobian(program, problem, context).front(), problem, context);
}

/// 1e-12 of the largest entry in float64, 1e-5 in float32.
template <class T>
void expect_near(const test::Kernel<T>& kernel, const Tensor<double>& exact, const std::string& where) {
  ASSERT_EQ(kernel.names.front(), "w");
  ASSERT_EQ(kernel.parts.front().size(), exact.size()) << where;
  double largest = 0;
  for (const double entry : exact) largest = std::max(largest, std::abs(entry));
  EXPECT_GT(largest, 1e-6) << where;
  const double bound = (std::is_same_v<T, float> ? 1e-5 : 1e-12) * largest;
  for (Index e = 0; e < exact.size(); ++e) ASSERT_NEAR(kernel.parts.front()[e], exact[e], bound) << where << ", entry " << e;
}

class Ties : public testing::TestWithParam<std::size_t> {};

TEST_P(Ties, MeetAsTheirExplicitRowsDo) {
  const test::TestContext test(1);
  const std::vector<Use> uses = all_uses();
  const Use& one = uses[GetParam()];
  const Tensor<double> x = samples();
  const Tensor<float> single = Array(x).converted<float>();
  for (std::size_t k = GetParam(); k < uses.size(); ++k) {
    const auto graph = tied(one, uses[k]);
    for (const std::string reduce : {"full", "trace", "diagonal", "sum", "output=1"}) {
      const Tensor<double> exact = by_explicit_rows(graph, reduce, test.context);
      for (const auto order : {std::optional<factors::Order>{}, std::optional(factors::Order::position_grams)}) {
        const test::KernelOptions options{.reduce = reduce, .order = order};
        const std::string where = std::string(one.name) + " and " + uses[k].name + ", " + reduce;
        expect_near(test::kernel_of<double>(graph, x, nullptr, options, test.context), exact, where);
        expect_near(test::kernel_of<float>(graph, single, nullptr, options, test.context), exact, where + ", float32");
      }
    }
  }
}

std::string name_of(const testing::TestParamInfo<std::size_t>& info) {
  std::string name = all_uses()[info.param].name;
  for (char& letter : name) letter = letter == ' ' || letter == '-' ? '_' : letter;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Uses, Ties, testing::Range(std::size_t{0}, all_uses().size()), name_of);

}  // namespace
}  // namespace tangra
