#include <algorithm>

#include "tangra/base/error.h"
#include "tangra/linalg/vectors.h"
#include "tangra/differentiate/node_call.h"

namespace tangra::differentiate {
namespace {

using factors::Form;
using factors::Place;
using factors::Term;

/// One reverse sweep over one block of samples.
template <class T>
class ReverseSweep {
 public:
  ReverseSweep(const Program<T>& program, const Activations<T>& activations, const ReverseTargets& targets,
               const Context& context, const Activations<T>* sides, Index directions, const factors::TermSink<T>* sink)
      : program_(program),
        graph_(program.graph()),
        activations_(activations),
        targets_(targets),
        context_(context),
        sides_(sides),
        samples_(activations.samples()),
        directions_(directions),
        sink_(sink),
        cotangents_(graph_.values.size()),
        needed_(graph_.values.size(), false) {
    find_needed();
  }

  ReverseResult<T> run(Tensor<T> seeds) {
    result_.parameters.samples = samples_;
    result_.parameters.directions = directions_;
    slot(targets_.of) = share_and_give_back(std::move(seeds));
    for (std::size_t n = graph_.nodes.size(); n-- > 0;) visit(static_cast<NodeId>(n));
    collect_parameters();
    for (const ValueId value : targets_.values) result_.values.push_back(in_own_shape(value));
    return std::move(result_);
  }

 private:
  using Shared = std::shared_ptr<Tensor<T>>;

  Shared& slot(ValueId value) { return cotangents_[static_cast<std::size_t>(value)]; }
  bool needed(ValueId value) const { return value != no_id && needed_[static_cast<std::size_t>(value)]; }
  /// Rows of every cotangent: samples times directions, also for batch-free values.
  Index rows() const { return samples_ * directions_; }

  /// A value is needed where a target lies on its way back: itself or something that it is made of.
  void find_needed() {
    for (const ValueId value : targets_.values) needed_[static_cast<std::size_t>(value)] = true;
    if (targets_.parameters) {
      for (const Parameter& parameter : graph_.parameters) {
        if (is_wanted(parameter)) needed_[static_cast<std::size_t>(parameter.value)] = true;
      }
    }
    for (const Node& node : graph_.nodes) {
      const bool any = std::ranges::any_of(node.inputs, [this](ValueId input) { return needed(input); });
      if (!any) continue;
      for (const ValueId output : node.outputs) needed_[static_cast<std::size_t>(output)] = true;
    }
  }

  bool is_wanted(const Parameter& parameter) const {
    const auto number = static_cast<std::size_t>(&parameter - graph_.parameters.data());
    return parameter.trainable && (targets_.wanted == nullptr || (number < targets_.wanted->size() && (*targets_.wanted)[number]));
  }

  bool is_target(ValueId value) const { return std::ranges::find(targets_.values, value) != targets_.values.end(); }

  /// Adds `more` to a value's cotangent; the first one is shared, not copied.
  void accumulate(ValueId value, const Shared& more) {
    Shared& own = slot(value);
    if (own == nullptr) {
      own = more;
      return;
    }
    own_alone(own);
    linalg::add(more->data(), own->size(), own->data());
  }

  /// Copies a tensor that somebody else still reads before it is written to.
  static void own_alone(Shared& tensor) {
    if (tensor.use_count() == 1) return;
    auto copy = take_tensor<T>(tensor->shape());
    std::ranges::copy(*tensor, copy.begin());
    tensor = share_and_give_back(std::move(copy));
  }

  /// Whether nobody else wants the cotangent of the node's result, and that of its first input begins with this node.
  bool may_replace(NodeId id) {
    const Node& node = graph_.node(id);
    const Shared& cotangent = slot(node.outputs.front());
    return slot(node.inputs.front()) == nullptr && cotangent != nullptr && cotangent.use_count() == 1 &&
           !is_target(node.outputs.front()) && !program_.is_batch_free(node.inputs.front()) &&
           program_.op(id).pulls_in_place(node);
  }

  /// The memory that a pull-back adds into for this value.
  T* writable(ValueId value) {
    Shared& own = slot(value);
    if (own == nullptr) own = zeros(value);
    else own_alone(own);
    return own->data();
  }

  /// A cotangent that was passed on may still have the shape of the value that it came from.
  Shared in_own_shape(ValueId value) {
    Shared& own = slot(value);
    if (own != nullptr && own->shape() != cotangent_shape(value)) {
      own_alone(own);
      own->reshape(cotangent_shape(value));
    }
    return own;
  }

  Shared zeros(ValueId value) const {
    auto tensor = take_tensor<T>(cotangent_shape(value));
    std::ranges::fill(tensor, T(0));
    return share_and_give_back(std::move(tensor));
  }

  Shape cotangent_shape(ValueId value) const {
    return graph_.shape(value).with_leading(directions_).with_leading(samples_);
  }

  void visit(NodeId id) {
    const Node& node = graph_.node(id);
    const bool reached = std::ranges::any_of(node.outputs, [this](ValueId v) { return slot(v) != nullptr && needed(v); });
    if (!reached) return;
    context_.check_cancelled();
    const bool batch_free = program_.is_batch_free(node.outputs.front());
    const NodeCall<T> call(program_, activations_, id, context_, sides_, true);
    std::vector<const T*> cotangents;
    for (const ValueId output : node.outputs) cotangents.push_back(slot(output) ? slot(output)->data() : nullptr);
    std::vector<T*> results(node.inputs.size(), nullptr);
    std::vector<std::pair<int, Shared>> uses;  // explicit rows of uses that have a place
    std::vector<int> passed;
    bool replaced = false;  // the first input's cotangent takes the place of the result's
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const ValueId input = node.inputs[k];
      if (!needed(input)) continue;
      const auto index = static_cast<int>(k);
      const bool is_use = !batch_free && program_.is_batch_free(input);
      const bool shortcuts = !targets_.explicit_parameters;
      const bool passes = shortcuts && program_.op(id).passes_cotangent(node, program_.input_shapes(id), index);
      if (shortcuts && is_use && program_.place(input)) {
        if (program_.has_outer_form(id, index)) {
          add_outer_term(id, call, index);
        } else if (passes) {
          add_vector_term(*program_.place(input), slot(node.outputs.front()));
        } else {
          uses.emplace_back(index, zeros(input));
          results[k] = uses.back().second->data();
        }
      } else if (passes) {
        passed.push_back(index);
      } else if (k == 0 && may_replace(id)) {
        results[k] = slot(node.outputs.front())->data();
        replaced = true;
      } else {
        results[k] = writable(input);
      }
    }
    if (std::ranges::any_of(results, [](const T* result) { return result != nullptr; })) {
      program_.op(id).pullback(*call, batch_free ? rows() : directions_, cotangents, results);
    }
    if (replaced) slot(node.inputs.front()) = slot(node.outputs.front());
    for (const auto& [index, rows] : uses) {
      add_vector_term(*program_.place(node.inputs[static_cast<std::size_t>(index)]), rows);
    }
    for (const int index : passed) accumulate(node.inputs[static_cast<std::size_t>(index)], slot(node.outputs.front()));
    for (const ValueId output : node.outputs) {
      if (!is_target(output)) slot(output) = nullptr;
    }
  }

  void put(Term<T> term) {
    if (sink_ != nullptr) (*sink_)(std::move(term));
    else result_.parameters.terms.push_back(std::move(term));
  }

  static Term<T> vector_term(Place place, std::shared_ptr<const Tensor<T>> rows) {
    Term<T> term;
    term.place = std::move(place);
    term.left = std::move(rows);
    return term;
  }

  void add_vector_term(Place place, std::shared_ptr<const Tensor<T>> rows) {
    put(vector_term(std::move(place), std::move(rows)));
  }

  void add_outer_term(NodeId id, const NodeCall<T>& call, int input) {
    const Node& node = graph_.node(id);
    const Shared& cotangent = slot(node.outputs.front());
    ops::OuterUse<T> use = program_.op(id).outer_use(*call, directions_, cotangent->data(), input);
    const Place place = *program_.place(node.inputs[static_cast<std::size_t>(input)])->as_matrix();
    TANGRA_ENSURE(place.shape == (use.transposed ? Shape{use.fan_in, use.channels} : Shape{use.channels, use.fan_in}));
    Term<T> term{.place = place, .form = use.gathers ? Form::gather : Form::outer, .left = {}, .right = {},
                 .positions = use.positions, .groups = use.groups, .left_by_channel = use.left_by_channel,
                 .right_by_channel = use.right_by_channel, .pixels = nullptr, .pixel_map = nullptr};
    if (use.pixels > 0) {
      term.pixels = activations_.shared(node.inputs.front());
      term.pixel_map = std::make_shared<const factors::PixelMap>(
          factors::PixelMap{.pixels = use.pixels, .positions = use.positions, .taps = std::move(use.pixel_taps)});
    }
    if (use.transposed) {
      std::swap(term.place.shape[0], term.place.shape[1]);
      std::swap(term.place.strides[0], term.place.strides[1]);
    }
    term.left = use.left_is_cotangent ? cotangent : share_and_give_back(std::move(use.left));
    term.right = use.right_is_input ? activations_.shared(node.inputs.front())
                                    : share_and_give_back(std::move(use.right));
    put(std::move(term));
  }

  /// What has been pulled back to a parameter itself becomes a term of explicit rows.
  void collect_parameters() {
    if (!targets_.parameters) return;
    for (const Parameter& parameter : graph_.parameters) {
      if (parameter.trainable && slot(parameter.value) != nullptr) {
        add_vector_term(*program_.place(parameter.value), slot(parameter.value));
      }
    }
  }

  const Program<T>& program_;
  const Graph& graph_;
  const Activations<T>& activations_;
  const ReverseTargets& targets_;
  const Context& context_;
  const Activations<T>* sides_;
  Index samples_;
  Index directions_;
  const factors::TermSink<T>* sink_;  ///< null: the terms are collected
  std::vector<Shared> cotangents_;  ///< [n, R, shape] by value
  std::vector<bool> needed_;
  ReverseResult<T> result_;
};

}  // namespace

template <class T>
ReverseResult<T> reverse(const Program<T>& program, const Activations<T>& activations, const ReverseTargets& targets,
                         Tensor<T> seeds, const Context& context, const Activations<T>* sides,
                         const factors::TermSink<T>* sink) {
  const Shape& shape = seeds.shape();
  TANGRA_ENSURE(shape.rank() >= 2 && shape[0] == activations.samples());
  return ReverseSweep<T>(program, activations, targets, context, sides, shape[1], sink).run(std::move(seeds));
}

template ReverseResult<float> reverse<float>(const Program<float>&, const Activations<float>&, const ReverseTargets&,
                                             Tensor<float>, const Context&, const Activations<float>*,
                                             const factors::TermSink<float>*);
template ReverseResult<double> reverse<double>(const Program<double>&, const Activations<double>&, const ReverseTargets&,
                                               Tensor<double>, const Context&, const Activations<double>*,
                                               const factors::TermSink<double>*);

}  // namespace tangra::differentiate
