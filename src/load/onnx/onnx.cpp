#include "tangra/load/onnx/onnx.h"

#include <algorithm>
#include <list>

#include "tangra/base/error.h"
#include "tangra/formats/refuse.h"
#include "tangra/load/onnx/network.h"
#include "tangra/load/onnx/parameters.h"
#include "tangra/load/onnx/read.h"
#include "tangra/ops/op.h"

namespace tangra::load::onnx {
namespace {

std::shared_ptr<const Folded> folded(Array one, Array many) {
  auto result = std::make_shared<Folded>();
  const bool same_bytes = one.shape() == many.shape() && one.type() == many.type() &&
                          (one.bytes() == 0 || one.data() == many.data() ||
                           std::memcmp(one.data(), many.data(), one.bytes()) == 0);
  result->one = std::move(one);
  result->many = std::move(many);
  result->differs = !same_bytes;
  return result;
}

Fact folded_fact(Array one, Array many) {
  Fact fact;
  fact.type = one.type();
  fact.shape = one.shape();
  fact.folded = folded(std::move(one), std::move(many));
  return fact;
}

Array lengths_array(const Shape& shape, Index first, Index last) {
  std::vector<Index> lengths;
  for (Index axis = first; axis < last; ++axis) lengths.push_back(shape[axis]);
  const Shape own{static_cast<Index>(lengths.size())};
  return integer_array(own, lengths);
}

/// What is the same in every reading of a file.
struct Plan {
  const FileModel& model;
  const OnnxOptions& options;
  Needed needed;
  std::map<std::string, Decision> decisions;
  std::map<std::string, std::size_t> uses;  ///< of each value by nodes; outputs have one more

  Plan(const FileModel& the_model, const OnnxOptions& the_options)
      : model(the_model), options(the_options), needed(needed_nodes(model, options)) {
    const std::set<std::string> outputs(needed.outputs.begin(), needed.outputs.end());
    decisions = decide_parameters(model, needed.nodes, outputs);
    for (const std::string& output : needed.outputs) ++uses[output];
    for (const FileNode* node : needed.nodes) {
      for (const std::string& input : node->inputs) ++uses[input];
    }
  }
};

/// What folded arrays may take: what is stated, and twice what the file itself holds.
Index most_folded_bytes(const FileModel& model, const OnnxOptions& options) {
  Index bytes = options.folded_bytes;
  for (const Initializer& initializer : model.initializers)
    bytes += 2 * static_cast<Index>(initializer.data.bytes());
  for (const FileNode& node : model.nodes) {
    for (const auto& [name, tensor] : node.tensors) bytes += 2 * static_cast<Index>(tensor.bytes());
  }
  return bytes;
}

/// The network under construction.
class Network {
 public:
  Network(const Plan& plan, Readings& readings, FoldMemory& memory, Index probe)
      : model_(plan.model),
        options_(plan.options),
        needed_(plan.needed),
        decisions_(plan.decisions),
        uses_(plan.uses),
        assembly_(plan.model.name, readings, probe),
        memory_(memory) {}

  Graph build() {
    add_inputs();
    add_initializers();
    for (const FileNode* node : needed_.nodes) {
      add_node(*node);
      release_inputs(*node);
    }
    report_errors();
    return finish();
  }

 private:
  void add_inputs() {
    std::optional<Index> samples;
    for (const ValueInfo& info : model_.inputs) {
      if (!needed_.values.contains(info.name)) continue;
      const InputPlan plan = plan_input(model_, info, options_);
      if (plan.place && (!samples || plan.samples == 0)) samples = plan.samples;
      Fact fact{.type = plan.type, .shape = plan.shape, .place = plan.place, .folded = nullptr};
      fact.id = assembly_.builder.input(assembly_.fresh(plan.name), plan.sample);
      fact.dependence = Dependence::samples;
      facts_[plan.name] = std::move(fact);
    }
    assembly_.samples = samples.value_or(0);
  }

  void add_initializers() {
    for (const Initializer& initializer : model_.initializers) {
      const auto found = decisions_.find(initializer.name);
      if (found == decisions_.end()) continue;
      const Decision& decision = found->second;
      if (decision.kind == Decision::Kind::tied) continue;
      Fact fact = folded_fact(initializer.data, initializer.data);
      if (decision.kind != Decision::Kind::constant) {
        fact.folded = nullptr;
        const bool trainable = decision.kind == Decision::Kind::parameter;
        fact.dependence = trainable ? Dependence::parameters : Dependence::constant;
        fact.id = assembly_.builder.parameter({.name = assembly_.fresh(initializer.name),
                                               .layer = decision.layer,
                                               .role = decision.role,
                                               .why = decision.why,
                                               .trainable = trainable,
                                               .data = initializer.data,
                                               .value = no_id});
      }
      fact.initializer = &initializer;
      facts_[initializer.name] = std::move(fact);
    }
    for (const Initializer& initializer : model_.initializers) {
      const auto found = decisions_.find(initializer.name);
      if (found != decisions_.end() && found->second.kind == Decision::Kind::tied)
        add_tied(initializer, found->second);
    }
  }

  /// A parameter under a second name, perhaps transposed.
  void add_tied(const Initializer& initializer, const Decision& decision) {
    Fact fact = facts_.at(decision.same_as);
    fact.shape = initializer.data.shape();
    fact.initializer = &initializer;
    if (decision.transposed) {
      fact.id = assembly_.builder.apply("Transpose", {fact.id}, {{"perm", std::vector<Index>{1, 0}}},
                                        assembly_.fresh(initializer.name));
    }
    facts_[initializer.name] = std::move(fact);
  }

  Fact& fact(const std::string& name) {
    const auto found = facts_.find(name);
    if (found == facts_.end())
      formats::refuse(model_.source, "a value is used that holds nothing to compute with", name);
    return found->second;
  }

  /// Any error is kept, so that one message can list all operators that are not there; what follows is passed
  /// over.
  void add_node(const FileNode& node) {
    try {
      const bool sound = std::ranges::all_of(
          node.inputs, [&](const std::string& input) { return input.empty() || !fact(input).broken; });
      if (!is_known(node))
        unsupported_.push_back(&node);
      else if (sound && read_node(node))
        return;
    } catch (const Mixing& mixing) {
      if (!first_error_) first_mixing_ = mixing;
      if (!first_error_) first_error_ = mixing;
    } catch (const Error& error) {
      if (!first_error_) first_error_ = error;
    }
    for (const std::string& output : node.outputs) {
      if (!output.empty()) facts_[output].broken = true;
    }
  }

  /// Folded arrays go with their last use.
  void release_inputs(const FileNode& node) {
    for (const std::string& input : node.inputs) {
      if (--uses_[input] > 0) continue;
      const auto found = facts_.find(input);
      if (found != facts_.end() && found->second.folded) facts_.erase(found);
    }
  }

  static bool is_known(const FileNode& node) {
    static const std::set<std::string> others = {"Constant", "Shape"};
    if (!node.domain.empty()) return false;
    return others.contains(node.op) || find_fold(node) != nullptr || find_row(node.op) != nullptr;
  }

  bool read_node(const FileNode& node) {
    if (node.op == "Constant") return read_constant(node);
    if (node.op == "Shape") return read_shape(node);
    if (fold_node(node)) return true;
    const Row* row = find_row(node.op);
    if (row == nullptr) {
      unsupported_.push_back(&node);  // of constants it would have been folded
      return false;
    }
    std::vector<Fact*> inputs;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const bool fixed = std::ranges::find(row->fixed, k) != row->fixed.end();
      inputs.push_back(node.inputs[k].empty() ? nullptr
                       : fixed                ? held_fixed(node.inputs[k])
                                              : &fact(node.inputs[k]));
    }
    Lower call(node, model_.opset, assembly_, inputs, needed_.values);
    const std::size_t before = assembly_.builder.graph().nodes.size();
    try {
      row->lower(call);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unsupported || error.complaint().what != "unknown operator") throw;
      unsupported_.push_back(&node);
      return false;
    }
    hold_constants(node, before);
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
      if (node.outputs[k].empty()) continue;
      if (call.results()[k])
        facts_[node.outputs[k]] = std::move(*call.results()[k]);
      else if (call.wants(k))
        call.refuse_mode("this output of the operator is not computed", node.outputs[k]);
    }
    return true;
  }

  /// Constants that the network computes, as folding knows no Softmax or Resize, come out of the same memory.
  void hold_constants(const FileNode& node, std::size_t first) {
    const Graph& graph = assembly_.builder.graph();
    for (std::size_t n = first; n < graph.nodes.size(); ++n) {
      for (const ValueId id : graph.nodes[n].outputs) {
        if (graph.value(id).dependence == Dependence::constant && graph.nodes[n].op != "Reshape")
          held_.push_back(memory_.hold(node, graph.shape(id)));
      }
    }
  }

  /// The value as a setting: a parameter that some exporter merged with it is held fixed here.
  Fact* held_fixed(const std::string& name) {
    Fact& own = fact(name);
    if (own.dependence != Dependence::parameters || own.initializer == nullptr) return &own;
    const auto [found, is_new] = fixed_.try_emplace(name);
    if (is_new) found->second = folded_fact(own.initializer->data, own.initializer->data);
    return &found->second;
  }

  bool read_constant(const FileNode& node) {
    if (node.outputs.empty()) return true;
    const Attributes& attributes = node.attributes;
    Array array;
    if (const auto found = node.tensors.find("value"); found != node.tensors.end())
      array = found->second;
    else if (attributes.has("value_float"))
      array = real_array({}, std::vector<double>{attributes.real("value_float", 0)});
    else if (attributes.has("value_int"))
      array = integer_array({}, std::vector<Index>{attributes.integer("value_int", 0)});
    else if (attributes.has("value_floats")) {
      const auto entries = attributes.reals("value_floats", {});
      array = real_array({std::ssize(entries)}, entries);
    } else if (attributes.has("value_ints")) {
      const auto entries = attributes.integers("value_ints", {});
      array = integer_array({std::ssize(entries)}, entries);
    } else {
      return false;  // a text; whoever uses it is not supported
    }
    facts_[node.outputs[0]] = folded_fact(array, array);
    return true;
  }

  bool read_shape(const FileNode& node) {
    if (node.inputs.empty() || node.outputs.empty()) refuse_node(node, "an input or output is missing");
    const Fact& x = fact(node.inputs[0]);
    const Index rank = x.shape.rank();
    const auto bound = [&](const char* name, Index otherwise) {
      Index at = node.attributes.integer(name, otherwise);
      if (at < 0) at = std::max<Index>(at, -rank) + rank;
      return std::clamp<Index>(at, 0, rank);
    };
    const Index first = bound("start", 0), last = std::max(first, bound("end", rank));
    facts_[node.outputs[0]] = folded_fact(lengths_array(x.shape, first, last),
                                          lengths_array(x.shape_for(assembly_.probe), first, last));
    return true;
  }

  bool fold_node(const FileNode& node) {
    const Fold fold = find_fold(node);
    if (fold == nullptr || node.has_graph) return false;
    std::vector<const Array*> one, many;
    Array none;
    bool differs = false;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const Fact* own = node.inputs[k].empty() ? nullptr : &fact(node.inputs[k]);
      if (own != nullptr && own->folded == nullptr) {
        if (node.op != "CastLike" || k != 1) return false;
        none = Array(own->type, {0}, [](std::span<std::byte>) {});  // only its type counts
      }
      const bool computed = own != nullptr && own->folded == nullptr;
      one.push_back(own == nullptr ? nullptr : computed ? &none : &own->folded->one);
      many.push_back(own == nullptr ? nullptr : computed ? &none : &own->folded->many);
      differs = differs || (one.back() != many.back() && own->folded->differs);
    }
    const std::vector<Array> results = evaluated(fold, node, one);
    const std::vector<Array> grown = differs ? evaluated(fold, node, many) : results;
    for (std::size_t k = 0; k < std::min(results.size(), node.outputs.size()); ++k) {
      if (!node.outputs[k].empty()) facts_[node.outputs[k]] = folded_fact(results[k], grown[k]);
    }
    return true;
  }

  /// Once for the same inputs, in whichever reading and for how many samples they come up.
  std::vector<Array> evaluated(Fold fold, const FileNode& node, std::span<const Array* const> inputs) {
    if (const std::vector<Array>* known = memory_.known(node, inputs)) return *known;
    const std::vector<Array> results = fold({node, inputs, model_.opset, memory_});
    memory_.keep(node, inputs, results);
    return results;
  }

  void report_errors() {
    if (unsupported_.empty()) {
      if (first_mixing_) throw Mixing(*first_mixing_);
      if (first_error_) throw Error(*first_error_);
      return;
    }
    constexpr std::size_t most = 40;
    std::map<std::string, std::string> nodes;
    bool own = false;
    for (std::size_t k = 0; k < std::min(most, unsupported_.size()); ++k) {
      const FileNode& node = *unsupported_[k];
      own = own || model_.functions.contains(node.domain + "::" + node.op);
      std::string& list = nodes[node.domain.empty() ? node.op : node.domain + "::" + node.op];
      list += (list.empty() ? "" : ", ") + node.name;
    }
    std::string text;
    for (const auto& [op, list] : nodes) text += (text.empty() ? "" : "; ") + op + " (" + list + ")";
    if (unsupported_.size() > most)
      text += " and " + std::to_string(unsupported_.size() - most) + " nodes more";
    throw Error(ErrorKind::unsupported,
                {.what = "the network has operators that are not supported",
                 .where = model_.source,
                 .got = text,
                 .expected = {},
                 .cure = own ? "The file's own functions are not expanded: export without "
                               "them, or rewrite it with onnx.inliner.inline_local_functions"
                             : "docs/onnx.md lists the operators that are"});
  }

  /// Outputs lose the axis of the samples and have the file's names.
  Graph finish() {
    std::map<ValueId, std::string> names;
    std::vector<ValueId> outputs;
    for (const std::string& name : needed_.outputs) {
      Fact& own = fact(name);
      if (own.broken || own.parts) refuse_output(name, "it is no number");
      if (own.dependence != Dependence::samples) {
        if (needed_.outputs.size() == 1) refuse_output(name, "it is the same for every sample");
        continue;
      }
      // Rows (T * N, C) are as many for each sample; (1, N * C) or (T, N * C) are not read back.
      if (own.place && !own.place->alone() && own.place->axis > 0 && assembly_.samples != 1)
        refuse_output(name, "it has no axis of samples, but holds them in axis " +
                                std::to_string(own.place->axis) + " together with other entries");
      Shape shape;
      for (Index axis = 0; axis < own.shape.rank(); ++axis) {
        if (!own.place || axis != own.place->axis || !own.place->alone()) shape.append(own.shape[axis]);
      }
      ValueId id = assembly_.shaped(own.id, shape);
      const bool is_input =
          std::ranges::find(assembly_.builder.graph().inputs, id) != assembly_.builder.graph().inputs.end();
      if (is_input || names.contains(id))
        id = assembly_.builder.apply("Identity", {id}, {}, assembly_.fresh(name + ".output"));
      names[id] = name;
      outputs.push_back(id);
      assembly_.builder.output(id);
    }
    if (outputs.empty()) refuse_output(needed_.outputs.front(), "no output depends on the input");
    Graph graph = assembly_.builder.finish();
    for (const auto& [id, name] : names) {
      const ValueId other = graph.find_value(name);
      if (other != no_id && other != id)
        graph.values[static_cast<std::size_t>(other)].name = assembly_.fresh(name + ".samples");
      graph.values[static_cast<std::size_t>(id)].name = name;
    }
    return graph;
  }

  [[noreturn]] void refuse_output(const std::string& name, const std::string& why) const {
    formats::refuse(model_.source + ": output " + name, "this output cannot be differentiated: " + why);
  }

  const FileModel& model_;
  const OnnxOptions& options_;
  const Needed& needed_;
  const std::map<std::string, Decision>& decisions_;
  std::map<std::string, std::size_t> uses_;  ///< still to come
  Assembly assembly_;
  FoldMemory& memory_;
  std::vector<std::shared_ptr<const void>> held_;
  std::map<std::string, Fact> facts_;
  std::map<std::string, Fact> fixed_;
  std::vector<const FileNode*> unsupported_;
  std::optional<Error> first_error_;
  std::optional<Mixing> first_mixing_;  ///< where that is what the first error says
};

/// The network by the shapes and constants for one sample and for `probe` of them.
Graph probed_network(const Plan& plan, FoldMemory& memory, Index probe) {
  // A few places at most are open in a real file; a hostile one must not keep us for long.
  const std::size_t most_readings = std::clamp<std::size_t>(1000000 / (plan.needed.nodes.size() + 1), 8, 256);
  Readings readings;
  std::optional<Error> first;
  for (std::size_t k = 0; k < most_readings; ++k) {
    try {
      return Network(plan, readings, memory, probe).build();
    } catch (const Mixing& mixing) {
      if (!first) first = mixing;
    } catch (const Error&) {
      if (!first) throw;
      break;
    }
    if (!readings.advance()) break;
  }
  throw Error(*first);
}

}  // namespace

Graph network_of(const FileModel& model, const OnnxOptions& options) {
  const Plan plan(model, options);
  FoldMemory memory(most_folded_bytes(model, options));
  // What happens to come out right for two samples, as min(N, 2) does, does not for three.
  probed_network(plan, memory, 2);
  return probed_network(plan, memory, 3);
}

}  // namespace tangra::load::onnx

namespace tangra::load {

Graph load_onnx(const std::filesystem::path& path, const OnnxOptions& options) {
  return onnx::network_of(onnx::read_file(path), options);
}

Graph load_onnx(std::span<const std::byte> bytes, const std::string& source, const OnnxOptions& options) {
  return onnx::network_of(onnx::read_bytes(bytes, source, {}), options);
}

}  // namespace tangra::load
