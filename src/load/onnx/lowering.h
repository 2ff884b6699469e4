#pragma once
// Not for other rooms: from ONNX's nodes to those of a network for one sample.
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tangra/base/error.h"
#include "tangra/load/onnx/batch.h"
#include "tangra/load/onnx/file_model.h"
#include "tangra/load/onnx/fold.h"
#include "tangra/ops/builder.h"

namespace tangra::load::onnx {

/// A value that depends on no sample and no parameter, for one sample and for several
/// (Assembly::probe): it may hold their number.
struct Folded {
  Array one;
  Array many;
  bool differs = false;  ///< in shape or in any entry
};

/// A value cut into parts along an axis: ONNX's sequence, of which SequenceAt takes one.
struct Parts {
  ValueId whole = no_id;
  Shape shape;  ///< of the whole, with ONNX's rank, for one sample
  Place place;
  DType type = DType::float32;
  Index axis = 0;
  std::vector<Index> ends;  ///< of each part along the axis
  bool drops_axis = false;
};

/// What is known of a value of the ONNX graph.
struct Fact {
  DType type = DType::float32;
  Shape shape;  ///< with ONNX's rank, for one sample
  Place place;  ///< where the samples are; none where the shape does not depend on their number
  std::shared_ptr<const Folded> folded;
  /// The same entries in the graph, perhaps under another shape (mostly without the axis of the samples).
  ValueId id = no_id;
  Dependence dependence = Dependence::constant;
  const Initializer* initializer = nullptr;  ///< whose entries these are, unchanged
  bool broken = false;                       ///< its node could not be read; the error is kept
  std::shared_ptr<const Parts> parts = {};   ///< it is a sequence; the rest stands for nothing

  Shape shape_for(Index samples) const {
    return folded ? folded->many.shape() : at_many(shape, place, samples);
  }
  bool is_parameter_free() const { return dependence == Dependence::constant; }
};

/// The network mixes samples, as far as the places that were chosen (Readings) go.
class Mixing : public Error {
 public:
  using Error::Error;
};

/// The graph under construction: names stay those of the file, added ones are told apart.
class Assembly {
 public:
  Assembly(const std::string& name, Readings& which, Index the_probe)
      : builder(name), readings(which), probe(the_probe) {}

  ops::GraphBuilder builder;
  Readings& readings;
  Index samples = 0;  ///< for which the file is made; 0: any number
  const Index
      probe;  ///< the number of samples for which shapes and constants are compared with those for one

  /// `wanted`, or with a number behind it where that is taken.
  std::string fresh(const std::string& wanted);
  /// The value under another shape with as many entries: itself, or a Reshape that is made once.
  ValueId shaped(ValueId value, const Shape& shape);
  /// The value of the fact in its own form; a folded one becomes a constant named `name`.
  ValueId current(Fact& fact, const std::string& name);

 private:
  std::set<std::string> names_;
  std::map<std::pair<ValueId, std::vector<Index>>, ValueId> reshapes_;
};

/// One node while it is lowered.
class Lower {
 public:
  /// `used` are the names of all values that somebody needs.
  Lower(const FileNode& the_node, Index the_opset, Assembly& assembly, std::vector<Fact*> inputs,
        const std::set<std::string>& used)
      : node(the_node),
        opset(the_opset),
        assembly_(assembly),
        inputs_(std::move(inputs)),
        used_(used),
        results_(node.outputs.size()) {}

  const FileNode& node;
  const Index opset;

  std::size_t count() const { return inputs_.size(); }
  bool has(std::size_t input) const { return input < inputs_.size() && inputs_[input] != nullptr; }
  /// Throws Error(input) where the input is absent.
  Fact& in(std::size_t input) const;
  /// Whether somebody needs this output.
  bool wants(std::size_t output) const {
    return output < node.outputs.size() && used_.contains(node.outputs[output]);
  }
  /// Where the samples are in an input that is used as a value. Throws Error(unsupported) where a constant's
  /// entries vary with the number of samples.
  Place place(std::size_t input) const;

  /// A constant input that is the same for any number of samples; null where absent. Throws
  /// Error(unsupported) where it is not known before the network runs.
  const Array* constant(std::size_t input) const;
  /// The same as integers for one sample and for several, which may differ.
  struct Pair {
    std::vector<Index> one, many;
  };
  std::optional<Pair> integers(std::size_t input) const;
  /// Integers from the attribute or, where there is none, from the input; these must not depend on the
  /// samples.
  std::optional<std::vector<Index>> integers_of(const char* attribute, std::size_t input) const;

  /// The entries of a fact as a value of the graph, under this shape or as they lie.
  ValueId value(Fact& fact, const Shape& shape);
  ValueId value(Fact& fact);
  ValueId scalar(double entry, const std::string& suffix);
  /// Adds a node of the graph; its value is named after output `output` of the file's node, or with the
  /// suffix behind it.
  ValueId apply(const std::string& op, std::vector<ValueId> inputs, Attributes attributes = {},
                const std::string& suffix = {}, std::size_t output = 0);
  std::vector<ValueId> apply_many(const std::string& op, std::vector<ValueId> inputs, Attributes attributes);
  Shape graph_shape(ValueId id) const { return assembly_.builder.shape(id); }
  ValueId shaped(ValueId id, const Shape& shape) { return assembly_.shaped(id, shape); }
  /// A length of 1 in the file may stand for the samples: it was exported for one.
  bool is_for_one() const { return assembly_.samples == 1; }
  /// The number of samples for which the file is made, 0: any.
  Index samples_in_file() const { return assembly_.samples; }
  /// How many "several" samples are.
  Index probe() const { return assembly_.probe; }
  Shape shape_for_many(const Fact& fact) const { return fact.shape_for(assembly_.probe); }
  /// Where the samples are in `to`, a shape for one sample whose axes do not say; chosen among several
  /// (Readings). Nothing where they cannot be told apart in it.
  Place read_place(const Shape& from, const BatchPlace& place, const Shape& to);

  /// Says what an output is: entries of the graph's value `id`, with this ONNX shape.
  void result(std::size_t output, ValueId id, Shape shape, Place place, std::optional<DType> type = {});
  void result(std::size_t output, Parts parts);
  /// The sequence that an input is.
  const Parts& parts(std::size_t input) const;
  /// An output that has the entries of an input under another shape.
  void alias(std::size_t output, Fact& fact, Shape shape, Place place);
  std::vector<std::optional<Fact>>& results() { return results_; }

  /// Throws Mixing: what the node does goes across samples.
  [[noreturn]] void refuse_mixing(const std::string& how) const;
  [[noreturn]] void refuse_mode(const std::string& what, const std::string& got = {},
                                const std::string& expected = {}) const;
  [[noreturn]] void refuse(const std::string& what, const std::string& got = {},
                           const std::string& expected = {}) const {
    refuse_node(node, what, got, expected);
  }
  Index axis(Index axis, Index rank) const { return axis_in(node, axis, rank); }
  /// The node's attributes that are named, as they are.
  Attributes only(std::initializer_list<const char*> names) const;

 private:
  /// The entries of a list of axes or lengths. Throws Error(input) where it is too long for one.
  std::vector<Index> setting(const Array& array) const;

  Assembly& assembly_;
  std::vector<Fact*> inputs_;
  const std::set<std::string>& used_;
  std::vector<std::optional<Fact>> results_;
};

/// One row of the lowering table.
struct Row {
  void (*lower)(Lower& call) = nullptr;
  std::vector<std::size_t> fixed = {};  ///< inputs that are settings, never parameters
};

/// The table, by the operator's name. docs/onnx.md lists them.
using Rows = std::map<std::string, Row>;
const Rows& all_rows();
/// The row of an operator, or null.
const Row* find_row(const std::string& op);

void add_elementwise_rows(Rows& rows);
void add_product_rows(Rows& rows);
void add_image_rows(Rows& rows);
void add_shape_rows(Rows& rows);
void add_index_rows(Rows& rows);
void add_reduction_rows(Rows& rows);

/// The lengths behind the first axis.
Shape tail(const Shape& shape);
inline bool leads_with_one(const Shape& shape) {
  return shape.rank() > 0 && shape[0] == 1;
}

/// An operator along axes of one input. Where the first axis has length 1 and none of them is it, the graph
/// goes without it: values keep the shape of one sample, and no Reshape is needed.
struct Frame {
  bool dropped = false;
  Shape shape;  ///< in the graph

  Frame(const Shape& onnx, bool keeps_first)
      : dropped(leads_with_one(onnx) && !keeps_first), shape(dropped ? tail(onnx) : onnx) {}
  Index axis(Index of_onnx) const { return dropped ? of_onnx - 1 : of_onnx; }
  Shape back(const Shape& result) const { return dropped ? result.with_leading(1) : result; }
};

/// Elementwise with broadcasting over all inputs given. Returns the ONNX shape and the place of the result.
struct Broadcast {
  Shape shape;
  Place place;
  std::vector<ValueId> values;
};
Broadcast broadcast_inputs(Lower& call, const std::vector<std::size_t>& inputs);

}  // namespace tangra::load::onnx
