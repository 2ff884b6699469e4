// Rows of the lowering table: entry by entry. The samples may be along any axis, the same one in all inputs.
#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/load/onnx/lowering.h"
#include "tangra/load/onnx/tensors.h"

namespace tangra::load::onnx {
namespace {

/// An operator of one input with the same name and attributes here.
void unary(Lower& call) {
  Fact& x = call.in(0);
  const Place place = call.place(0);
  call.result(0,
              call.apply(call.node.op, {call.value(x)}, call.only({"alpha", "beta", "gamma", "approximate"})),
              x.shape, place);
}

/// The type of a comparison's result.
std::optional<DType> compared(const Lower& call) {
  static const std::set<std::string> predicates = {
      "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Not", "And", "Or", "Xor"};
  return predicates.contains(call.node.op) ? std::optional(DType::boolean) : std::nullopt;
}

void predicate_of_one(Lower& call) {
  const Place place = call.place(0);
  const Attributes attributes = call.only({"detect_negative", "detect_positive"});
  call.result(0, call.apply(call.node.op, {call.value(call.in(0))}, attributes), call.in(0).shape, place,
              DType::boolean);
}

/// Integers divide and multiply as integers; that is left to folding.
void check_real(Lower& call) {
  for (std::size_t k = 0; k < call.count(); ++k) {
    if (!is_floating(call.in(k).type)) {
      call.refuse_mode("this is computed with real numbers only", std::string(name_of(call.in(k).type)),
                       "a floating type");
    }
  }
}

/// Whether `from` goes into `to` without making it larger.
bool broadcasts_to(const Shape& from, const Shape& to) {
  for (Index axis = 0; axis < from.rank(); ++axis) {
    const Index length = from[from.rank() - 1 - axis];
    if (length != 1 && length != to[to.rank() - 1 - axis]) return false;
  }
  return true;
}

/// Zeros that are added change nothing: exporters write a class token as zeros (N, 1, C) plus the token.
/// Without them a parameter stays a parameter.
bool adds_zeros(Lower& call) {
  for (const std::size_t k : {std::size_t{0}, std::size_t{1}}) {
    Fact &zeros = call.in(k), &x = call.in(1 - k);
    if (!zeros.folded || !is_floating(zeros.type) || x.folded || x.shape.rank() < zeros.shape.rank())
      continue;
    const auto entries = reals_of(zeros.folded->one);
    const bool all = std::ranges::all_of(entries, [](double entry) { return entry == 0; });
    if (!all || !broadcasts_to(zeros.shape, x.shape)) continue;
    const Place own = call.place(1 - k), added = moved(call.place(k), x.shape.rank() - zeros.shape.rank());
    if (own && added && own != added) continue;
    if (!own && added &&
        x.shape[added->axis] != zeros.shape[added->axis - x.shape.rank() + zeros.shape.rank()])
      continue;  // several rows beside one for each sample
    call.alias(0, x, x.shape, own ? own : added);
    return true;
  }
  return false;
}

void binary(Lower& call) {
  if (call.node.op == "Add" && adds_zeros(call)) return;
  if (call.node.op == "Div" || call.node.op == "Mod") check_real(call);
  const Broadcast inputs = broadcast_inputs(call, {0, 1});
  call.result(0, call.apply(call.node.op, inputs.values, call.only({"fmod"})), inputs.shape, inputs.place,
              compared(call));
}

/// The result of Pow has the type of the base.
void power(Lower& call) {
  if (!is_floating(call.in(0).type)) check_real(call);
  binary(call);
}

/// ((x0 + x1) + x2) ..: Sum and Mean, Max and Min of any number of inputs.
void chained(Lower& call) {
  const bool mean = call.node.op == "Mean";
  const std::string op = mean || call.node.op == "Sum" ? "Add" : call.node.op;
  std::vector<std::size_t> all;
  for (std::size_t k = 0; k < call.count(); ++k) all.push_back(k);
  const Broadcast inputs = broadcast_inputs(call, all);
  ValueId sum = inputs.values[0];
  for (std::size_t k = 1; k < all.size(); ++k) {
    const bool last = k + 1 == all.size() && !mean;
    sum = call.apply(op, {sum, inputs.values[k]}, {}, last ? "" : "." + std::to_string(k));
  }
  if (mean && all.size() > 1)
    sum = call.apply("Div", {sum, call.scalar(static_cast<double>(all.size()), ".count")});
  if (all.size() == 1) sum = call.apply("Identity", {sum});
  // An input that is longer than the first alone has made the result's shape by now.
  call.result(0, sum, inputs.shape, inputs.place);
}

void choose(Lower& call) {
  const Broadcast inputs = broadcast_inputs(call, {0, 1, 2});
  call.result(0, call.apply("Where", inputs.values), inputs.shape, inputs.place, call.in(1).type);
}

/// min and max: attributes before opset 11, inputs since. An end that is computed is a Min or Max.
void clip(Lower& call) {
  Attributes attributes = call.only({});
  const auto bound = [&](const char* name, std::size_t input) {
    if (call.opset < 11) {
      if (call.node.attributes.has(name)) attributes.set(name, call.node.attributes.real(name, 0));
    } else if (const Array* array = call.constant(input)) {
      if (array->size() != 1) call.refuse("a bound is no single number", to_string(array->shape()));
      const double exact = reals_of(*array)[0];
      attributes.set(name, exact);
    }
  };
  bound("min", 1);
  bound("max", 2);
  const Place place = call.place(0);
  call.result(0, call.apply("Clip", {call.value(call.in(0))}, attributes), call.in(0).shape, place);
}

/// The slope broadcasts one way: to the input.
void prelu(Lower& call) {
  const Broadcast inputs = broadcast_inputs(call, {0, 1});
  call.result(0, call.apply("PRelu", inputs.values), inputs.shape, inputs.place);
}

/// To real numbers nothing happens; integers lose what is behind the point, truth values are 0 and 1.
void cast(Lower& call) {
  Fact& x = call.in(0);
  const Place place = call.place(0);
  const auto to = call.node.op == "CastLike"
                      ? std::optional(call.in(1).type)
                      : type_of(static_cast<int>(call.node.attributes.integer("to", 0) & 0xff));
  if (!to) call.refuse_mode("a cast to a type that no network here computes with");
  const bool loses =
      *to == DType::boolean ? x.type != DType::boolean : !is_floating(*to) && is_floating(x.type);
  if (!loses) {
    call.alias(0, x, x.shape, place);
    call.results()[0]->type = *to;
    return;
  }
  const std::string target = *to == DType::boolean ? "bool" : "int";
  call.result(0, call.apply("Cast", {call.value(x)}, {{"to", target}}), x.shape, place, *to);
}

/// Nothing at inference.
void same(Lower& call) {
  const Place place = call.place(0);
  if (call.node.op == "Dropout" && call.opset >= 12) {
    const Array* training = call.constant(2);
    const Array* ratio = call.constant(1);
    const double share = ratio != nullptr && ratio->size() == 1 ? reals_of(*ratio)[0] : 0.5;
    if (training != nullptr && training->size() == 1 && reals_of(*training)[0] != 0 && share != 0) {
      call.refuse_mode("the network is in training mode: this node is random", {},
                       "a network that was exported for inference");
    }
  }
  call.alias(0, call.in(0), call.in(0).shape, place);
}

/// x * sigmoid(alpha x).
void swish(Lower& call) {
  Fact& x = call.in(0);
  const Place place = call.place(0);
  const double alpha = call.node.attributes.real("alpha", 1);
  if (alpha == 1) return call.result(0, call.apply("Silu", {call.value(x)}), x.shape, place);
  const ValueId scaled = call.apply("Mul", {call.value(x), call.scalar(alpha, ".alpha")}, {}, ".scaled");
  const ValueId gate = call.apply("Sigmoid", {scaled}, {}, ".gate");
  call.result(0, call.apply("Mul", {call.value(x), gate}), x.shape, place);
}

}  // namespace

void add_elementwise_rows(Rows& rows) {
  for (const char* op : {"Acos",      "Acosh",     "Asin", "Asinh",   "Atan", "Atanh",
                         "Cosh",      "Sinh",      "Abs",  "Celu",    "Ceil", "Cos",
                         "Elu",       "Erf",       "Exp",  "Floor",   "Gelu", "HardSigmoid",
                         "HardSwish", "LeakyRelu", "Log",  "Mish",    "Neg",  "Reciprocal",
                         "Relu",      "Round",     "Selu", "Sigmoid", "Sign", "Sin",
                         "Softplus",  "Softsign",  "Sqrt", "Tan",     "Tanh", "ThresholdedRelu"}) {
    rows[op] = {.lower = unary};
  }
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Mod", "Equal", "Less", "LessOrEqual", "Greater",
                         "GreaterOrEqual", "And", "Or", "Xor"}) {
    rows[op] = {.lower = binary};
  }
  for (const char* op : {"Not", "IsNaN", "IsInf"}) rows[op] = {.lower = predicate_of_one};
  rows["Pow"] = {.lower = power};
  for (const char* op : {"Sum", "Mean", "Max", "Min"}) rows[op] = {.lower = chained};
  rows["Where"] = {.lower = choose};
  rows["Clip"] = {.lower = clip, .fixed = {1, 2}};
  rows["PRelu"] = {.lower = prelu};
  rows["Cast"] = {.lower = cast};
  rows["CastLike"] = {.lower = cast, .fixed = {1}};
  rows["Identity"] = {.lower = same};
  rows["Dropout"] = {.lower = same, .fixed = {1, 2}};
  rows["Swish"] = {.lower = swish};
}

}  // namespace tangra::load::onnx
