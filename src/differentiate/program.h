#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "tangra/factors/term.h"
#include "tangra/ops/op.h"

namespace tangra::differentiate {

/// A graph made ready to run in one scalar type: its operators looked up, every value that depends on no sample
/// evaluated once, and for each of those the place in a parameter that it is a view of. Shared by threads, and immutable but for set_parameters().
template <class T>
class Program {
 public:
  /// Throws Error(input) where a parameter or constant is not finite, and Error(memory) where there is no memory for the
  /// values that depend on no sample.
  Program(std::shared_ptr<const Graph> graph, const Context& context, linalg::Engine engine = linalg::Engine::fast);
  Program(Program&&) noexcept = default;
  Program& operator=(Program&&) noexcept = default;

  const Graph& graph() const { return *graph_; }
  const std::shared_ptr<const Graph>& shared_graph() const { return graph_; }
  linalg::Engine engine() const { return engine_; }
  const ops::Op& op(NodeId node) const { return *ops_[static_cast<std::size_t>(node)]; }
  /// The shapes of a node's inputs; () for an absent one.
  const std::vector<Shape>& input_shapes(NodeId node) const { return input_shapes_[static_cast<std::size_t>(node)]; }
  const std::vector<Shape>& output_shapes(NodeId node) const { return output_shapes_[static_cast<std::size_t>(node)]; }
  bool is_batch_free(ValueId value) const { return graph_->value(value).dependence != Dependence::samples; }
  /// The entries of a value that depends on no sample.
  const Tensor<T>& batch_free(ValueId value) const { return *batch_free_[static_cast<std::size_t>(value)]; }
  /// Where the entries of a batch-free value stand in one parameter, if they do: transposes, slices and constant factors
  /// are resolved, anything else is pulled back.
  const std::optional<factors::Place>& place(ValueId value) const { return places_[static_cast<std::size_t>(value)]; }
  /// Whether input `input` of the node is used in the outer form and its place can be read as the matrix of that form.
  bool has_outer_form(NodeId node, int input) const;

  /// Gives the trainable parameters other entries (parameters[p]: as many as parameter p has, finite; those of frozen ones
  /// are not looked at) and evaluates anew what depends on them. graph() keeps what it was made with. No other thread may
  /// use the program meanwhile.
  void set_parameters(const std::vector<Tensor<T>>& parameters, const Context& context);

 private:
  void look_up_operators();
  void load_batch_free();
  /// Of all values that depend on parameters and constants alone, and of the tables for one of them.
  std::size_t bytes_computed() const;
  void evaluate_batch_free(const Context& context);
  void resolve_places();
  void resolve_place(NodeId id);

  std::shared_ptr<const Graph> graph_;
  linalg::Engine engine_;
  std::vector<const ops::Op*> ops_;
  std::vector<std::vector<Shape>> input_shapes_;
  std::vector<std::vector<Shape>> output_shapes_;
  /// Parameters and constants of type T are the graph's own memory.
  std::vector<std::shared_ptr<const Tensor<T>>> batch_free_;
  std::vector<std::shared_ptr<Tensor<T>>> set_;  ///< the memory of set_parameters(), by parameter
  std::vector<std::optional<factors::Place>> places_;
};

extern template class Program<float>;
extern template class Program<double>;

}  // namespace tangra::differentiate
