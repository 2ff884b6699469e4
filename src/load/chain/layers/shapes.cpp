// Functions of whole arrays between layers: flatten, reshape, permutedims, and mean, sum and maximum along
// axes. Flux counts the axes of a batch from 1, the samples last; our axis k is its axis (rank - k).
#include <algorithm>
#include <array>
#include <numeric>

#include "tangra/load/chain/layers/layer_builder.h"
#include "tangra/load/chain/layers/table.h"

namespace tangra::load {
namespace {

using Kind = Expression::Kind;

class Flatten final : public Layer {
 public:
  InputNeed input() const override { return {.kind = InputNeed::Kind::flattens}; }
  ValueId build(LayerBuilder& builder, ValueId x) const override {
    return builder.apply("Reshape", {x}, {{"shape", std::vector<Index>{-1}}});
  }
};

/// x -> reshape(x, 7, 7, 64, :)
class Reshape final : public Layer {
 public:
  Reshape(const Source& source, const Expression& call) {
    const std::vector<Argument>& arguments = call.arguments;
    const bool ends = arguments.size() >= 3 && arguments.back().value.kind == Kind::colon;
    if (!ends) {
      fail(source, call.at, "the samples stay the last axis", "a form such as reshape(x, 7, 7, 64, :)");
    }
    Index product = 1;
    for (std::size_t k = 1; k + 1 < arguments.size(); ++k) {
      const Index length = read_length(source, arguments[k].value, "each length");
      if (length > most_entries / product) fail(source, call.at, "this has more than 2^31 entries");
      product *= length;
      shape_.push_back(length);
    }
    std::ranges::reverse(shape_);
  }

  InputNeed input() const override {
    return {.kind = InputNeed::Kind::entries, .size = Shape(shape_).elements()};
  }
  ValueId build(LayerBuilder& builder, ValueId x) const override {
    const Shape wanted(shape_);
    if (builder.shape(x).elements() != wanted.elements()) {
      builder.refuse_input(x, std::to_string(wanted.elements()) + " entries, to make " + to_string(wanted));
    }
    return builder.apply("Reshape", {x}, {{"shape", shape_}});
  }

 private:
  std::vector<Index> shape_;
};

InputNeed whole(const std::string& words) {
  return {.kind = InputNeed::Kind::whole, .words = words, .example = "16,64"};
}

/// x -> permutedims(x, (2, 1, 3))
class Permutation final : public Layer {
 public:
  Permutation(const Source& source, const Expression& call) {
    const char* const form = "a form such as permutedims(x, (2, 1, 3)), the samples last";
    if (call.arguments.size() != 2) fail(source, call.at, "permutedims takes an order of axes", form);
    order_ = read_lengths(source, call.arguments[1].value, "the order");
    std::vector<Index> sorted = order_;
    std::ranges::sort(sorted);
    std::vector<Index> all(order_.size());
    std::iota(all.begin(), all.end(), Index{1});
    if (sorted != all || order_.back() != static_cast<Index>(order_.size())) {
      fail(source, call.arguments[1].value.at, "this is no order of axes that leaves the samples last", form);
    }
    order_.pop_back();
  }

  InputNeed input() const override { return whole("values of " + std::to_string(order_.size()) + " axes"); }
  ValueId build(LayerBuilder& builder, ValueId x) const override {
    const Index rank = builder.shape(x).rank();
    if (rank != static_cast<Index>(order_.size())) builder.refuse_input(x, input().words);
    std::vector<Index> order;
    for (const Index axis : order_) order.push_back(rank - axis);
    std::ranges::reverse(order);
    return builder.apply("Transpose", {x}, {{"perm", order}});
  }

 private:
  std::vector<Index> order_;  ///< Flux's, without the samples
};

/// x -> mean(x; dims = 2): the axes stay, with length 1.
class Reduction final : public Layer {
 public:
  Reduction(const Source& source, const Expression& call, std::string op) : op_(std::move(op)) {
    const std::string name(plain(call.name));
    const bool sound = call.arguments.size() == 2 && call.arguments[1].keyword == "dims";
    if (!sound) {
      fail(source, call.at, name + " needs to know its axes, for the samples are one of them in Flux",
           "a form such as " + name + "(x; dims = 2)");
    }
    const Expression& dims = call.arguments[1].value;
    if (dims.kind == Kind::tuple)
      dims_ = read_lengths(source, dims, "dims");
    else
      dims_ = {read_length(source, dims, "dims")};
  }

  InputNeed input() const override {
    const Index most = *std::ranges::max_element(dims_);
    return whole("values of " + std::to_string(most) + " axes or more");
  }
  ValueId build(LayerBuilder& builder, ValueId x) const override {
    const Index rank = builder.shape(x).rank();
    std::vector<Index> axes;
    for (const Index dim : dims_) {
      if (dim > rank) builder.refuse_input(x, input().words);
      axes.push_back(rank - dim);
    }
    std::ranges::sort(axes);
    return builder.apply(op_, {x}, {{"axes", axes}, {"keepdims", Index{1}}});
  }

 private:
  std::string op_;
  std::vector<Index> dims_;
};

}  // namespace

LayerPointer read_array_function(const Source& source, const Expression& expression) {
  const Expression* call = call_of_lambda(expression);
  const bool alone = expression.kind == Kind::name;
  if (call == nullptr && !alone) return nullptr;
  const std::string_view name = plain(alone ? expression.name : call->name);
  if (name == "flatten" && (alone || call->arguments.size() == 1)) return std::make_shared<Flatten>();
  if (alone) return nullptr;
  if (name == "reshape") return std::make_shared<Reshape>(source, *call);
  if (name == "permutedims") return std::make_shared<Permutation>(source, *call);
  constexpr auto reductions = std::to_array<std::pair<std::string_view, const char*>>(
      {{"mean", "ReduceMean"}, {"sum", "ReduceSum"}, {"maximum", "ReduceMax"}});
  for (const auto& [own, op] : reductions) {
    if (name == own) return std::make_shared<Reduction>(source, *call, op);
  }
  return nullptr;
}

}  // namespace tangra::load
