// Einsum of one or two inputs by the attribute `equation`: "bij,bjk->bik", with its result and without dots.
// A letter that stands twice in one input takes the diagonal; an axis of length 1 is broadcast to its
// letter's length elsewhere.
//
// The letters fall into those of both inputs that the result keeps (the products are apart), those of one
// input that it keeps (rows, columns), those of both that it does not keep (summed over by the product) and
// those of one input that it does not keep (summed over before). So everything is a product of matrices
// between two rearrangements.
#include <algorithm>
#include <array>
#include <string>

#include "tangra/ops/loops.h"
#include "tangra/ops/maps.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

using linalg::gemm;

struct Equation {
  std::array<std::string, 2> inputs;
  std::string result;
};

Equation equation_of(const Node& node, std::size_t inputs) {
  std::string text = node.attributes.text("equation", "");
  std::erase(text, ' ');
  const std::size_t arrow = text.find("->");
  const std::size_t comma = text.find(',');
  const bool letters = std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ',' || c == '-' || c == '>';
  });
  if (arrow == std::string::npos || !letters || (comma == std::string::npos ? 1U : 2U) != inputs) {
    refuse(node, "this equation is not supported", text, "letters as in ij,jk->ik, one word for each input");
  }
  const std::string left = text.substr(0, arrow);
  Equation equation{{left.substr(0, comma), {}}, text.substr(arrow + 2)};
  if (inputs == 2) equation.inputs[1] = left.substr(comma + 1);
  const auto is_letter = [](char c) { return c != ',' && c != '-' && c != '>'; };
  for (const std::string& word : {equation.inputs[0], equation.inputs[1], equation.result}) {
    if (!std::ranges::all_of(word, is_letter)) refuse(node, "this equation is not supported", text);
  }
  return equation;
}

bool contains(const std::string& word, char letter) {
  return word.find(letter) != std::string::npos;
}

/// One input rearranged: entry e of the rearrangement is the sum of the input's entries from[e * summed] and
/// the `summed` - 1 that follow.
struct Rearranged {
  std::vector<Index> from;
  Index summed = 1;

  Index size() const { return std::ssize(from) / std::max<Index>(1, summed); }
  template <class T>
  void gather(const T* x, T* to) const {
    for (Index e = 0; e < size(); ++e) {
      T sum = 0;
      for (Index k = e * summed; k < (e + 1) * summed; ++k) sum += x[from[static_cast<std::size_t>(k)]];
      to[e] = sum;
    }
  }
  template <class T>
  void scatter(const T* x, T* to) const {
    for (std::size_t k = 0; k < from.size(); ++k) to[from[k]] += x[static_cast<Index>(k) / summed];
  }
};

/// The call as products y[p] = a[p] b[p]: a: [products, M, K], b: [products, K, N], y: [products, M, N].
class Plan {
 public:
  /// Tables of entries are made where they are asked for: shapes can be checked at any size.
  Plan(const Node& node, std::span<const Shape> inputs, bool tables = true)
      : equation(equation_of(node, inputs.size())), has_tables_(tables) {
    find_lengths(node, inputs);
    std::string both_kept, rows, columns, both_summed;
    std::array<std::string, 2> alone;
    for (const auto& [letter, length] : lengths_) {
      const bool kept = contains(equation.result, letter);
      const bool in_a = contains(equation.inputs[0], letter);
      const bool in_b = contains(equation.inputs[1], letter);
      if (in_a && in_b)
        (kept ? both_kept : both_summed) += letter;
      else if (kept)
        (in_a ? rows : columns) += letter;
      else
        alone[in_a ? 0 : 1] += letter;
    }
    products = length_of(both_kept);
    M = length_of(rows);
    N = length_of(columns);
    K = length_of(both_summed);
    a = rearranged(inputs[0], equation.inputs[0], both_kept + rows + both_summed, alone[0]);
    if (inputs.size() == 2)
      b = rearranged(inputs[1], equation.inputs[1], both_kept + both_summed + columns, alone[1]);
    else
      b.from = {0};  // a single 1
    for (const char letter : equation.result) result.append(length_of({letter}));
    y = rearranged(result, equation.result, both_kept + rows + columns, {});
    for (const std::size_t k : {0U, 1U}) {
      is_matrix[k] = both_kept.empty() && (k == 0 ? rows : columns).size() == 1 && both_summed.size() == 1 &&
                     alone[k].empty() && k < inputs.size() &&
                     inputs[k] == Shape(own_lengths(equation.inputs[k]));
    }
  }

  Index work() const { return products * M * N * K + std::ssize(a.from) + std::ssize(b.from) + y.size(); }

  Equation equation;
  Shape result;
  Index products = 1, M = 1, N = 1, K = 1;
  Rearranged a, b, y;
  /// Whether an input is a plain matrix of one kept and one summed letter.
  std::array<bool, 2> is_matrix{};

 private:
  void find_lengths(const Node& node, std::span<const Shape> inputs) {
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const std::string& word = equation.inputs[k];
      if (std::ssize(word) != inputs[k].rank()) {
        refuse(node, "an input has another rank than its word in the equation", to_string(inputs[k]), word);
      }
      for (Index axis = 0; axis < inputs[k].rank(); ++axis) {
        const char letter = word[static_cast<std::size_t>(axis)];
        const Index length = inputs[k][axis];
        const auto found = std::ranges::find(lengths_, letter, &std::pair<char, Index>::first);
        if (found == lengths_.end())
          lengths_.emplace_back(letter, length);
        else if (found->second == 1)
          found->second = length;
        else if (length != 1 && length != found->second) {
          refuse(node, "two axes under one letter differ in length", std::to_string(length),
                 std::to_string(found->second));
        }
      }
    }
    for (const char letter : equation.result) {
      const bool known =
          std::ranges::find(lengths_, letter, &std::pair<char, Index>::first) != lengths_.end();
      if (!known || std::ranges::count(equation.result, letter) != 1) {
        refuse(node, "a letter of the result stands there twice or in no input", equation.result);
      }
    }
  }

  std::vector<Index> own_lengths(const std::string& word) const {
    std::vector<Index> result_lengths;
    for (const char letter : word) result_lengths.push_back(length_of({letter}));
    return result_lengths;
  }
  Index length_of(const std::string& letters) const {
    Shape lengths;
    for (const char letter : letters)
      lengths.append(std::ranges::find(lengths_, letter, &std::pair<char, Index>::first)->second);
    return lengths.elements();
  }

  /// The entries of an array with the axes `word` in the order of the letters of `order`, then of `summed`.
  Rearranged rearranged(const Shape& shape, const std::string& word, const std::string& order,
                        const std::string& summed) const {
    if (!has_tables_) return {};
    const std::vector<Index> own = shape.strides();
    Shape lengths;
    std::vector<Index> strides;
    for (const char letter : order + summed) {
      Index stride = 0;
      for (std::size_t axis = 0; axis < word.size(); ++axis) {
        if (word[axis] == letter && shape[static_cast<Index>(axis)] != 1) stride += own[axis];
      }
      lengths.append(length_of({letter}));
      strides.push_back(stride);
    }
    return {strided_entries(lengths, strides), length_of(summed)};
  }

  bool has_tables_;
  std::vector<std::pair<char, Index>> lengths_;
};

class Einsum final : public OpOf<Einsum> {
 public:
  std::string_view name() const override { return "Einsum"; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 2);
    return {Plan(node, inputs, false).result};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Plan plan(call.node, call.input_shapes);
    for_samples(call, plan.work(), [&](Index i) {
      T* y = results[0] + i * plan.y.size();
      fill_zero(y, plan.y.size());
      add_product(call, plan, left(call, plan, i), right(call, plan, i), y);
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    const Plan plan(call.node, call.input_shapes);
    const auto [P, M, N, K] = std::array{plan.products, plan.M, plan.N, plan.K};
    for_samples(call, 2 * directions * plan.work(), [&](Index i) {
      const std::vector<T> a = left(call, plan, i);
      const std::vector<T> b = right(call, plan, i);
      std::vector<T> g(static_cast<std::size_t>(plan.y.size()));
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        plan.y.gather(cotangents[0] + row * plan.y.size(), g.data());
        std::vector<T> to_a(a.size());
        std::vector<T> to_b(b.size());
        for (Index p = 0; p < P; ++p) {
          const MatrixView<const T> from = matrix<const T>(g.data() + p * M * N, M, N);
          gemm<T>(call.context, call.engine, from, matrix(b.data() + p * K * N, K, N).transposed(), false,
                  matrix(to_a.data() + p * M * K, M, K));
          gemm<T>(call.context, call.engine, matrix(a.data() + p * M * K, M, K).transposed(), from, false,
                  matrix(to_b.data() + p * K * N, K, N));
        }
        if (results[0] != nullptr)
          plan.a.scatter(to_a.data(), results[0] + row * call.input_shapes[0].elements());
        if (results.size() < 2 || results[1] == nullptr) continue;
        plan.b.scatter(to_b.data(), results[1] + row * call.input_shapes[1].elements());
      }
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Plan plan(call.node, call.input_shapes);
    for_samples(call, 2 * directions * plan.work(), [&](Index i) {
      const std::vector<T> a = left(call, plan, i);
      const std::vector<T> b = right(call, plan, i);
      for (Index r = 0; r < directions; ++r) {
        T* y = results[0] + (i * directions + r) * plan.y.size();
        fill_zero(y, plan.y.size());
        std::vector<T> moved(a.size());
        if (tangents[0]) {
          plan.a.gather(tangents[0].at(i) + r * call.input_shapes[0].elements(), moved.data());
          add_product(call, plan, moved, b, y);
        }
        if (tangents.size() < 2 || !tangents[1]) continue;
        moved.resize(b.size());
        plan.b.gather(tangents[1].at(i) + r * call.input_shapes[1].elements(), moved.data());
        add_product(call, plan, a, moved, y);
      }
    });
  }

  bool has_outer_form(const Node& node, std::span<const Shape> inputs, int input) const override {
    return Plan(node, inputs, false).is_matrix[static_cast<std::size_t>(input)];
  }
  OuterUse<float> outer_use(const Call<float>& call, Index directions, const float* cotangent,
                            int input) const override {
    return use(call, directions, cotangent, input);
  }
  OuterUse<double> outer_use(const Call<double>& call, Index directions, const double* cotangent,
                             int input) const override {
    return use(call, directions, cotangent, input);
  }
  double multiply_adds(const Node& node, std::span<const Shape> inputs, const Shape&) const override {
    const Plan plan(node, inputs);
    return static_cast<double>(plan.products * plan.M * plan.N * plan.K);
  }
  Index outer_entries(const Node& node, std::span<const Shape> inputs, int input,
                      Index directions) const override {
    const Plan plan(node, inputs);
    return directions * plan.M * plan.N + plan.K * (input == 0 ? plan.N : plan.M);
  }

 private:
  template <class T>
  static std::vector<T> left(const Call<T>& call, const Plan& plan, Index sample) {
    std::vector<T> a(static_cast<std::size_t>(plan.a.size()));
    plan.a.gather(call.inputs[0].at(sample), a.data());
    return a;
  }
  template <class T>
  static std::vector<T> right(const Call<T>& call, const Plan& plan, Index sample) {
    std::vector<T> b(static_cast<std::size_t>(plan.b.size()), T(1));
    if (call.inputs.size() == 2) plan.b.gather(call.inputs[1].at(sample), b.data());
    return b;
  }

  /// Adds the products to y, which has the result's own order.
  template <class T>
  static void add_product(const Call<T>& call, const Plan& plan, const std::vector<T>& a,
                          const std::vector<T>& b, T* y) {
    const auto [P, M, N, K] = std::array{plan.products, plan.M, plan.N, plan.K};
    std::vector<T> product(static_cast<std::size_t>(plan.y.size()));
    for (Index p = 0; p < P; ++p) {
      gemm<T>(call.context, call.engine, matrix(a.data() + p * M * K, M, K),
              matrix(b.data() + p * K * N, K, N), false, matrix(product.data() + p * M * N, M, N));
    }
    plan.y.scatter(product.data(), y);
  }

  /// The matrix's kept letter is c, its summed letter k, and the kept letters of the other input are the
  /// positions.
  template <class T>
  static OuterUse<T> use(const Call<T>& call, Index directions, const T* cotangent, int input) {
    const Plan plan(call.node, call.input_shapes);
    const bool first = input == 0;
    const Index C = first ? plan.M : plan.N;
    const Index D = first ? plan.N : plan.M;
    const char leading = plan.equation.inputs[static_cast<std::size_t>(input)].front();
    OuterUse<T> use{.positions = D,
                    .channels = C,
                    .fan_in = plan.K,
                    .transposed = !contains(plan.equation.result, leading),
                    .left_is_cotangent = false,
                    .right_is_input = false,
                    .left = Tensor<T>::uninitialized({call.samples, directions, D, C}),
                    .right = Tensor<T>::uninitialized({call.samples, D, plan.K})};
    for_samples(call, directions * plan.y.size() + plan.K * D, [&](Index i) {
      const std::vector<T> other = first ? right(call, plan, i) : left(call, plan, i);
      for (Index d = 0; d < D; ++d) {
        for (Index k = 0; k < plan.K; ++k) {
          const Index from = first ? k * D + d : d * plan.K + k;
          use.right[(i * D + d) * plan.K + k] = other[static_cast<std::size_t>(from)];
        }
      }
      std::vector<T> g(static_cast<std::size_t>(plan.y.size()));
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        plan.y.gather(cotangent + row * plan.y.size(), g.data());
        for (Index d = 0; d < D; ++d) {
          for (Index c = 0; c < C; ++c) {
            use.left[(row * D + d) * C + c] = g[static_cast<std::size_t>(first ? c * D + d : d * C + c)];
          }
        }
      }
    });
    return use;
  }
};

}  // namespace

void add_einsum_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<Einsum>());
}

}  // namespace tangra::ops
