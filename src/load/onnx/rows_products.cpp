// Rows of the lowering table: products of matrices.
#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/load/onnx/lowering.h"

namespace tangra::load::onnx {
namespace {

bool depends_on_samples(const Fact& fact) {
  return fact.dependence == Dependence::samples;
}

/// Where the samples are in a product: rows of the left, columns of the right, or the axes before both.
Place product_place(Lower& call, const Shape& a, const Shape& b, const Shape& result) {
  const Place left = call.place(0), right = call.place(1);
  const Index rank = result.rank() + (a.rank() == 1 ? 1 : 0) + (b.rank() == 1 ? 1 : 0);
  const Index lost = a.rank() == 1 ? 1 : 0;  // the row's axis, before the last
  Place found;
  if (left) {
    if (left->axis == a.rank() - 1) call.refuse_mixing("the product sums over the samples of its left side");
    found = moved(left, rank - a.rank());
  }
  if (right) {
    const Index summed = b.rank() == 1 ? 0 : b.rank() - 2;
    if (right->axis == summed) call.refuse_mixing("the product sums over the samples of its right side");
    const bool column = right->axis == b.rank() - 1;
    Place own =
        column ? Place(BatchPlace{rank - 1, right->outer, right->inner}) : moved(right, rank - b.rank());
    if (left && own != found) call.refuse_mixing("every sample of one side meets every sample of the other");
    if (own->axis == rank - 1) own->axis -= lost;
    found = own;
  }
  for (const Shape* side : {&a, &b}) {
    const Index axis = found ? found->axis - (rank - side->rank()) : -1;
    const bool batch_axis = found && found->axis + 2 < rank && axis >= 0;
    if (batch_axis && !(side == &a ? left : right) && (*side)[axis] != 1) {
      call.refuse_mixing(
          "one side holds the samples along an axis on which the other has entries of its own");
    }
  }
  return found;
}

Shape product_shape(Lower& call, const Shape& a, const Shape& b) {
  const Index inner = b.rank() == 0 ? 0 : b.rank() == 1 ? b[0] : b[b.rank() - 2];
  if (a.rank() == 0 || b.rank() == 0 || a.back() != inner) {
    call.refuse("the inner axes differ", to_string(a) + " and " + to_string(b), "equal lengths to sum over");
  }
  Shape left, right;
  for (Index axis = 0; axis + 2 < a.rank(); ++axis) left.append(a[axis]);
  for (Index axis = 0; axis + 2 < b.rank(); ++axis) right.append(b[axis]);
  Shape result;
  try {
    result = broadcast(left, right);
  } catch (const Error& error) {
    call.refuse(error.complaint().what, error.complaint().got, error.complaint().expected);
  }
  if (a.rank() > 1) result.append(a[a.rank() - 2]);
  if (b.rank() > 1) result.append(b.back());
  return result;
}

/// One matrix of weights on the right is a Linear, whose uses of parameters are the cheapest; all else is a
/// MatMul.
void matmul(Lower& call) {
  Fact &a = call.in(0), &b = call.in(1);
  const Shape result = product_shape(call, a.shape, b.shape);
  const Place place = product_place(call, a.shape, b.shape, result);
  const bool linear = depends_on_samples(a) && !depends_on_samples(b) && b.shape.rank() == 2;
  const bool drops = leads_with_one(a.shape) &&
                     (linear ? a.shape.rank() > 1
                             : a.shape.rank() > 2 && b.shape.rank() == a.shape.rank() && b.shape[0] == 1);
  const ValueId left = call.value(a, drops ? tail(a.shape) : a.shape);
  if (linear) {
    return call.result(0, call.apply("Linear", {left, call.value(b, b.shape)}, {{"transposed", Index{1}}}),
                       result, place);
  }
  const ValueId right = call.value(b, drops ? tail(b.shape) : b.shape);
  call.result(0, call.apply("MatMul", {left, right}), result, place);
}

/// alpha A B + beta C with A and B perhaps transposed.
struct Gemm {
  Lower& call;
  double alpha = call.node.attributes.real("alpha", 1);
  double beta = call.node.attributes.real("beta", 1);
  bool flips_a = call.node.attributes.integer("transA", 0) != 0;
  bool flips_b = call.node.attributes.integer("transB", 0) != 0;

  static Shape flipped(const Shape& shape, bool flip) { return flip ? Shape{shape[1], shape[0]} : shape; }

  void check() {
    for (std::size_t k = 0; k < 2; ++k) {
      if (call.in(k).shape.rank() != 2)
        call.refuse("an input is no matrix", to_string(call.in(k).shape), "two axes");
    }
  }
  /// The third input broadcasts one way: to the product.
  void check_sum(const Shape& product) {
    if (!call.has(2)) return;
    const Shape& own = call.in(2).shape;
    bool fits = own.rank() <= 2;
    for (Index axis = 1; axis <= own.rank() && fits; ++axis)
      fits = own[own.rank() - axis] == 1 || own[own.rank() - axis] == product[2 - axis];
    if (!fits) call.refuse("C does not broadcast to the product", to_string(own), to_string(product));
  }
  Place place() {
    const Place a = call.place(0), b = call.place(1);
    if (a && b) call.refuse_mixing("both sides of the product hold the samples");
    if (a && a->axis == (flips_a ? 0 : 1))
      call.refuse_mixing("the product sums over the samples of its left side");
    if (b && b->axis == (flips_b ? 1 : 0))
      call.refuse_mixing("the product sums over the samples of its right side");
    Place own;
    if (a) own = BatchPlace{0, a->outer, a->inner};
    if (b) own = BatchPlace{1, b->outer, b->inner};
    if (!call.has(2)) return own;
    const Place c = moved(call.place(2), 2 - call.in(2).shape.rank());
    if (own && c && own != c) call.refuse_mixing("the sum's two sides hold the samples along different axes");
    if (own && !c) {
      const Index axis = own->axis - (2 - call.in(2).shape.rank());
      if (axis >= 0 && call.in(2).shape[axis] != 1)
        call.refuse_mixing("the sum has entries of its own along the axis of the samples");
    }
    return own ? own : c;
  }
};

void gemm(Lower& call) {
  Gemm gemm{call};
  gemm.check();
  Fact &a = call.in(0), &b = call.in(1);
  const Shape left = Gemm::flipped(a.shape, gemm.flips_a), right = Gemm::flipped(b.shape, gemm.flips_b);
  const Shape result = product_shape(call, left, right);
  const Place place = gemm.place();
  gemm.check_sum(result);
  const bool has_c = call.has(2) && gemm.beta != 0;
  const bool linear = depends_on_samples(a) && !depends_on_samples(b);
  const bool scales = gemm.alpha != 1;
  const bool takes_c = linear && has_c && !scales && gemm.beta == 1 && call.in(2).shape == Shape{result[1]} &&
                       !depends_on_samples(call.in(2));
  const bool more = scales || (has_c && !takes_c);
  const auto flip = [&](Fact& x, bool flips, const char* suffix) {
    const ValueId value = call.value(x, x.shape);
    return flips ? call.apply("Transpose", {value}, {{"perm", std::vector<Index>{1, 0}}}, suffix) : value;
  };
  ValueId y;
  if (linear) {
    const bool drops = result[0] == 1;
    const ValueId x =
        !drops && gemm.flips_a ? flip(a, true, ".left") : call.value(a, drops ? Shape{left[1]} : a.shape);
    std::vector<ValueId> inputs{x, call.value(b, b.shape)};
    if (takes_c) inputs.push_back(call.value(call.in(2)));
    y = call.apply("Linear", inputs, {{"transposed", Index{gemm.flips_b ? 0 : 1}}}, more ? ".product" : "");
  } else {
    const ValueId x = flip(a, gemm.flips_a, ".left");
    y = call.apply("MatMul", {x, flip(b, gemm.flips_b, ".right")}, {}, more ? ".product" : "");
  }
  if (scales) y = call.apply("Mul", {y, call.scalar(gemm.alpha, ".alpha")}, {}, has_c ? ".scaled" : "");
  if (has_c && !takes_c) {
    Fact& c = call.in(2);
    // A matrix with one row goes without it, as the product does.
    const bool drops = call.graph_shape(y).rank() == 1;
    ValueId added = call.value(c, drops && c.shape.rank() == 2 ? tail(c.shape) : c.shape);
    if (gemm.beta != 1) added = call.apply("Mul", {added, call.scalar(gemm.beta, ".beta")}, {}, ".added");
    y = call.apply("Add", {y, added});
  }
  call.result(0, y, result, place);
}

/// An equation with one letter for each axis: dots are spelt out, and the result is stated.
struct Equation {
  std::vector<std::string> operands;
  std::string result;

  std::string text() const {
    std::string joined;
    for (const std::string& operand : operands) joined += (joined.empty() ? "" : ",") + operand;
    return joined + "->" + result;
  }
};

/// Replaces "..." by the last letters of `dots`, as many as the operand has axes without a letter of their
/// own.
void spell_dots(std::string& operand, Index rank, const std::string& dots) {
  const std::size_t at = operand.find("...");
  if (at == std::string::npos) return;
  const Index missing = rank - (std::ssize(operand) - 3);
  if (missing >= 0 && missing <= std::ssize(dots)) {
    operand.replace(at, 3, dots.substr(dots.size() - static_cast<std::size_t>(missing)));
  }
}

Equation equation_of(Lower& call) {
  std::string text = call.node.attributes.text("equation", "");
  std::erase(text, ' ');
  const std::size_t arrow = text.find("->");
  Equation equation{.operands = std::vector<std::string>(1), .result = {}};
  for (const char c : text.substr(0, arrow)) {
    if (c == ',')
      equation.operands.emplace_back();
    else
      equation.operands.back() += c;
  }
  if (equation.operands.size() != call.count())
    call.refuse("the equation has another number of operands", text);
  std::string dots = "";
  for (char c = 'Z'; c >= 'A' && dots.size() < 8; --c) {
    if (text.find(c) == std::string::npos) dots += c;
  }
  Index most = 0;
  for (std::size_t k = 0; k < call.count(); ++k) {
    const bool has_dots = equation.operands[k].find("...") != std::string::npos;
    if (has_dots) most = std::max(most, call.in(k).shape.rank() - (std::ssize(equation.operands[k]) - 3));
    spell_dots(equation.operands[k], call.in(k).shape.rank(), dots);
    if (std::ssize(equation.operands[k]) != call.in(k).shape.rank()) {
      call.refuse("an operand has another rank", text, to_string(call.in(k).shape));
    }
  }
  const std::string spelt =
      dots.substr(dots.size() - static_cast<std::size_t>(std::clamp<Index>(most, 0, std::ssize(dots))));
  if (arrow != std::string::npos) {
    equation.result = text.substr(arrow + 2);
    const std::size_t at = equation.result.find("...");
    if (at != std::string::npos) equation.result.replace(at, 3, spelt);
    return equation;
  }
  // Unstated: what dots stand for, then the letters that stand once, in order.
  std::string all;
  for (const std::string& operand : equation.operands) all += operand;
  std::string once;
  for (const char c : all) {
    if (std::ranges::count(all, c) == 1 && spelt.find(c) == std::string::npos) once += c;
  }
  std::ranges::sort(once);
  equation.result = spelt + once;
  return equation;
}

/// Two operands at a time, from the left; what is between keeps the letters that are needed later.
ValueId einsum_of(Lower& call, const Equation& equation, const std::vector<ValueId>& values) {
  const auto& [operands, result] = equation;
  if (values.size() <= 2) return call.apply("Einsum", values, {{"equation", equation.text()}});
  std::string word = operands[0];
  ValueId product = values[0];
  for (std::size_t k = 1; k < values.size(); ++k) {
    const bool last = k + 1 == values.size();
    std::string later = result, kept;
    for (std::size_t j = k + 1; j < values.size(); ++j) later += operands[j];
    for (const char c : word + operands[k]) {
      if (later.find(c) != std::string::npos && kept.find(c) == std::string::npos) kept += c;
    }
    const Equation step{.operands = {word, operands[k]}, .result = last ? result : kept};
    product = call.apply("Einsum", {product, values[k]}, {{"equation", step.text()}},
                         last ? "" : "." + std::to_string(k));
    word = kept;
  }
  return product;
}

/// The samples must be under one letter, which the result keeps.
void einsum(Lower& call) {
  const Equation equation = equation_of(call);
  const auto& [operands, result] = equation;
  char letter = 0;
  std::optional<BatchPlace> place;
  std::map<char, Index> lengths;
  std::vector<ValueId> values;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    Fact& x = call.in(k);
    for (Index axis = 0; axis < x.shape.rank(); ++axis) {
      Index& length = lengths[operands[k][static_cast<std::size_t>(axis)]];
      length = std::max(length, x.shape[axis]);  // an axis of length 1 is broadcast
    }
    values.push_back(call.value(x, x.shape));
    const Place own = call.place(k);
    if (!own) continue;
    const char here = operands[k][static_cast<std::size_t>(own->axis)];
    if (std::ranges::count(operands[k], here) > 1)
      call.refuse_mixing("it takes a diagonal along the samples");
    if (letter != 0 && (letter != here || place->outer != own->outer))
      call.refuse_mixing("the operands hold the samples under different letters");
    letter = here;
    place = own;
  }
  Shape shape;
  for (const char c : result) {
    if (!lengths.contains(c)) call.refuse("the result has a letter of its own", equation.text());
    shape.append(lengths[c]);
  }
  if (letter != 0) {
    const std::size_t at = result.find(letter);
    if (at == std::string::npos) call.refuse_mixing("it sums over the samples");
    place->axis = static_cast<Index>(at);
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const std::size_t here = operands[k].find(letter);
      if (here != std::string::npos && !call.place(k) && call.in(k).shape[static_cast<Index>(here)] != 1) {
        call.refuse_mixing("an operand has entries of its own along the axis of the samples");
      }
    }
  }
  call.result(0, einsum_of(call, equation, values), shape, place);
}

}  // namespace

void add_product_rows(Rows& rows) {
  rows["MatMul"] = {.lower = matmul};
  rows["Gemm"] = {.lower = gemm};
  rows["Einsum"] = {.lower = einsum};
}

}  // namespace tangra::load::onnx
