#include "tangra/infinite/dense_chain.h"

#include <algorithm>
#include <optional>

#include "tangra/base/error.h"

namespace tangra::infinite {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& where, const std::string& got,
                         const std::string& expected, const std::string& cure = {}) {
  throw Error(ErrorKind::unsupported,
              {.what = what, .where = where, .got = got, .expected = expected, .cure = cure});
}

/// A parameter as a layer uses it: times a constant of the parameterisation.
struct Use {
  const Parameter* parameter = nullptr;
  double scale = 1;
};

class Reader {
 public:
  explicit Reader(const Graph& graph) : graph_(graph) {
    if (graph.inputs.size() != 1)
      refuse("closed forms are for chains of Dense layers", graph.name, "several inputs", "one");
  }

  std::vector<NamedLayer> read() {
    signal_ = graph_.inputs.front();
    for (const Node& node : graph_.nodes) {
      const bool moves = graph_.value(node.outputs.front()).dependence == Dependence::samples;
      if (!moves) continue;  // a scaled parameter
      if (node.inputs.front() != signal_) refuse_node(node);
      take(node);
      signal_ = node.outputs.front();
    }
    if (layers_.empty() || signal_ != graph_.outputs.front()) {
      refuse("closed forms are for chains of Dense layers", graph_.name, "no Dense layer at its end",
             "Chain(Dense(..), ..)");
    }
    if (layers_.back().layer.activation != Activation::identity) {
      refuse("behind the last layer the kernel of a wide network stays random", layers_.back().activation,
             "an activation or softmax behind the last Dense", "nothing", "Leave it out of the chain");
    }
    return std::move(layers_);
  }

 private:
  [[noreturn]] void refuse_node(const Node& node) const {
    const bool softmax = node.op == "Softmax" || node.op == "LogSoftmax";
    refuse("this network has no closed form", node.name, node.op,
           "Dense layers with relu, erf or nothing behind each",
           softmax
               ? "Leave it out of the chain: behind the last layer the kernel of a wide network stays random"
               : "");
  }

  void take(const Node& node) {
    if (node.op == "Linear") return take_layer(node);
    if (node.op == "Identity") return;
    const bool shapes_only = node.op == "Flatten" || node.op == "Reshape";
    if (shapes_only && layers_.empty()) return;
    if (layers_.empty() || !layers_.back().activation.empty()) refuse_node(node);
    Layer& layer = layers_.back().layer;
    if (node.op == "Relu") {
      layer.activation = Activation::relu;
    } else if (node.op == "Erf") {
      layer.activation = Activation::erf;
    } else {
      refuse_node(node);
    }
    layers_.back().activation = node.op;
  }

  Use use_of(ValueId value, const Node& node) const {
    const auto by_value = [&](ValueId id) -> const Parameter* {
      const auto found = std::ranges::find(graph_.parameters, id, &Parameter::value);
      return found == graph_.parameters.end() ? nullptr : &*found;
    };
    if (const Parameter* parameter = by_value(value)) return {.parameter = parameter};
    const NodeId producer = graph_.value(value).producer;
    if (producer == no_id || graph_.node(producer).op != "Mul") refuse_node(node);
    Use use;
    for (const ValueId input : graph_.node(producer).inputs) {
      const auto constant = std::ranges::find(graph_.constants, input, &Constant::value);
      if (constant != graph_.constants.end() && constant->data.size() == 1) {
        use.scale = constant->data.converted<double>()[0];
      } else if (const Parameter* parameter = by_value(input)) {
        use.parameter = parameter;
      }
    }
    if (use.parameter == nullptr) refuse_node(node);
    return use;
  }

  /// The variance of an entry. Biases of lecun and he are 0.
  static double variance_of(const Parameter& parameter, Index in, bool bias) {
    const auto fan_in = static_cast<double>(in);
    if (parameter.initializer == "normal") return 1;
    if (parameter.initializer == "lecun") return bias ? 0 : 1 / fan_in;
    if (parameter.initializer == "he") return bias ? 0 : 2 / fan_in;
    refuse("the closed forms are those of weights drawn from normal distributions", parameter.name,
           parameter.initializer.empty() ? "weights from a file" : parameter.initializer,
           "normal, lecun or he", "Choose --init, or --parameterization ntk");
  }

  void take_layer(const Node& node) {
    const Use weight = use_of(node.inputs[1], node);
    const Shape& shape = weight.parameter->data.shape();
    if (node.attributes.integer("transposed", 0) != 0 || shape.rank() != 2) refuse_node(node);
    if (seen(*weight.parameter))
      refuse("a weight that is used twice has no closed form", weight.parameter->name, {}, {});
    NamedLayer own{
        .name = weight.parameter->layer, .in = shape[1], .out = shape[0], .activation = {}, .layer = {}};
    const auto in = static_cast<double>(own.in);
    const double square = weight.scale * weight.scale;
    own.layer = {.weight_variance = square * variance_of(*weight.parameter, own.in, false) * in,
                 .bias_variance = 0,
                 .weight_gain = weight.parameter->trainable ? square * in : 0,
                 .bias_gain = 0};
    if (node.inputs.size() > 2) {
      const Use bias = use_of(node.inputs[2], node);
      own.layer.bias_variance = bias.scale * bias.scale * variance_of(*bias.parameter, own.in, true);
      own.layer.bias_gain = bias.parameter->trainable ? bias.scale * bias.scale : 0;
    }
    used_.push_back(weight.parameter);
    layers_.push_back(std::move(own));
  }

  bool seen(const Parameter& parameter) const { return std::ranges::find(used_, &parameter) != used_.end(); }

  const Graph& graph_;
  ValueId signal_ = no_id;
  std::vector<NamedLayer> layers_;
  std::vector<const Parameter*> used_;
};

}  // namespace

std::vector<NamedLayer> read_dense_chain(const Graph& graph) {
  return Reader(graph).read();
}

}  // namespace tangra::infinite
