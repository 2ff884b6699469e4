#include "tangra/load/onnx/parameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <regex>

#include "tangra/load/onnx/fold.h"
#include "tangra/load/onnx/lowering.h"

namespace tangra::load::onnx {
namespace {

/// Where an initialiser is used.
struct Use {
  const FileNode* node;
  std::size_t input;
};

bool is_setting(const FileNode& node, std::size_t input) {
  static const std::set<std::string> by_shape = {"Shape", "Size",    "ConstantOfShape",
                                                 "Range", "NonZero", "EyeLike"};
  if (by_shape.contains(node.op)) return true;
  const Row* row = find_row(node.op);
  return row != nullptr && std::ranges::find(row->fixed, input) != row->fixed.end();
}

/// The values that some operator takes as numbers to compute with, not only as settings.
std::set<std::string> computed_with(const std::vector<const FileNode*>& nodes,
                                    const std::set<std::string>& outputs) {
  std::set<std::string> used = outputs;
  for (std::size_t n = nodes.size(); n-- > 0;) {
    const FileNode& node = *nodes[n];
    const bool matters =
        std::ranges::any_of(node.outputs, [&](const std::string& output) { return used.contains(output); });
    if (!matters) continue;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      if (!is_setting(node, k)) used.insert(node.inputs[k]);
    }
  }
  return used;
}

/// 0 where a position may be seen, and one very negative number where not; or anything infinite.
bool is_mask(const Array& array) {
  constexpr Index piece = 4096;  // the first entries of a weight tell
  const Array line = array.reshaped({array.size()});
  bool hides = false;
  double hidden = 0;
  for (Index begin = 0; begin < line.size(); begin += piece) {
    for (const double entry : reals_of(line.rows(begin, std::min(line.size(), begin + piece)))) {
      if (std::isinf(entry)) return true;  // nothing learns that
      if (entry == 0) continue;
      if (entry > -1e4 || (hides && entry != hidden)) return false;
      hides = true;
      hidden = entry;
    }
  }
  return hides && array.size() > 1;
}

ParameterRole role_of(const Initializer& initializer, const Use& use) {
  const std::string& op = use.node->op;
  const bool product = op == "Conv" || op == "ConvTranspose" || op == "Gemm";
  const bool norm = op.ends_with("Normalization");
  if ((product || norm) && use.input >= 2) return ParameterRole::bias;
  if (product || norm || op == "MatMul" || op == "Mul" || op == "Gather") return ParameterRole::weight;
  if (op == "Add" || initializer.name.ends_with("bias")) return ParameterRole::bias;
  return initializer.data.shape().rank() >= 2 ? ParameterRole::weight : ParameterRole::other;
}

/// Ones as the scale or zeros as the shift of normalisations, and nothing else: what exporters fill in where
/// these have none.
bool is_neutral(const Array& array, const std::vector<Use>& uses) {
  const auto neutral = [&](const Use& use) {
    const bool norm = use.node->op == "InstanceNormalization" || use.node->op == "LayerNormalization" ||
                      use.node->op == "GroupNormalization";
    const std::vector<double> entries = reals_of(array);
    return norm && use.input >= 1 &&
           std::ranges::all_of(entries, [&](double entry) { return entry == (use.input == 1 ? 1 : 0); });
  };
  return std::ranges::all_of(uses, neutral);
}

/// Whether the matrix b is a with its axes exchanged, bit by bit.
bool is_transpose(const Array& a, const Array& b) {
  const Index rows = a.shape()[0], columns = a.shape()[1];
  if (b.shape() != Shape{columns, rows}) return false;
  const std::size_t width = bytes_of(a.type());
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < columns; ++c) {
      const auto here = static_cast<std::size_t>(r * columns + c) * width;
      const auto there = static_cast<std::size_t>(c * rows + r) * width;
      if (std::memcmp(a.data() + here, b.data() + there, width) != 0) return false;
    }
  }
  return true;
}

bool is_copy(const Array& a, const Array& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

/// A matrix whose entries are not all the same: those of others are equal to it for a reason.
bool is_distinct(const Array& array) {
  const Shape& shape = array.shape();
  if (shape.rank() != 2 || shape[0] < 2 || shape[1] < 2) return false;
  const std::size_t width = bytes_of(array.type());
  return std::memcmp(array.data(), array.data() + width, array.bytes() - width) != 0;
}

/// Exporters store what they compute from a weight, as its transpose, under a name that they count up, beside
/// the weight itself where that is used as well. Of several weights that would do none is taken.
void tie_copies(const FileModel& model, std::map<std::string, Decision>& decisions) {
  std::vector<const Initializer*> own, counted;
  for (const Initializer& initializer : model.initializers) {
    const auto found = decisions.find(initializer.name);
    if (found == decisions.end() || found->second.kind != Decision::Kind::parameter) continue;
    if (is_distinct(initializer.data))
      (is_running_name(initializer.name) ? counted : own).push_back(&initializer);
  }
  for (const Initializer* copy : counted) {
    const auto fits = [&](const Initializer* source) {
      return source->data.type() == copy->data.type() &&
             (is_copy(source->data, copy->data) || is_transpose(source->data, copy->data));
    };
    const auto source = std::ranges::find_if(own, fits);
    if (source == own.end()) continue;
    Decision &one = decisions.at((*source)->name), &other = decisions.at(copy->name);
    const bool transposed = !is_copy((*source)->data, copy->data);
    const std::string relation = transposed ? "transpose" : "copy";
    if (std::find_if(source + 1, own.end(), fits) != own.end()) {
      other.why +=
          "; the " + relation + " of " + (*source)->name + " and of others, so that it is tied to none";
      continue;
    }
    other = {.kind = Decision::Kind::tied,
             .why = {},
             .role = one.role,
             .layer = one.layer,
             .same_as = (*source)->name,
             .transposed = transposed};
    one.why = "also " + copy->name + ", its " + relation + ", which the exporter stored; " + one.why;
  }
}

std::string in_words(const Use& use) {
  return use.node->op + " " + use.node->name;
}

}  // namespace

bool is_running_name(const std::string& name) {
  static const std::regex counted(
      R"((val_|_val_|_inlfunc_.*|onnx::\w+_|_to_copy_|scalar_tensor_default_|)\d+|)"
      R"((.*/)?(Const|Constant|const_fold_opt|const)(_*\d+)?(_output_\d+)?(:\d+)?)");
  return name.size() < 300 && std::regex_match(name, counted);
}

std::string layer_of(const std::string& name) {
  std::string rest = name;
  const auto cut = [&](std::size_t at) {
    rest = at == std::string::npos ? std::string() : rest.substr(0, at);
  };
  // TensorFlow's variables end in the operator that reads them.
  const std::size_t last = rest.find_last_of('/');
  if (last != std::string::npos &&
      (rest.compare(last, 15, "/ReadVariableOp") == 0 || rest.compare(last, 5, "/read") == 0)) {
    rest = rest.substr(0, last);
  }
  cut(rest.find_last_of("./"));
  return rest;
}

std::map<std::string, Decision> decide_parameters(const FileModel& model,
                                                  const std::vector<const FileNode*>& nodes,
                                                  const std::set<std::string>& outputs) {
  std::map<std::string, std::vector<Use>> uses;
  for (const FileNode* node : nodes) {
    for (std::size_t k = 0; k < node->inputs.size(); ++k) uses[node->inputs[k]].push_back({node, k});
  }
  const std::set<std::string> computed = computed_with(nodes, outputs);
  std::map<std::string, Decision> decisions;
  for (const Initializer& initializer : model.initializers) {
    const auto found = uses.find(initializer.name);
    if (found == uses.end()) continue;
    const Use& use = found->second.front();
    Decision decision{.kind = Decision::Kind::constant,
                      .why = {},
                      .role = role_of(initializer, use),
                      .layer = layer_of(initializer.name)};
    if (decision.layer.empty()) decision.layer = use.node->name;
    const auto statistic = std::ranges::find_if(
        found->second, [](const Use& one) { return one.node->op == "BatchNormalization" && one.input >= 3; });
    if (!is_floating(initializer.data.type())) {
      decision.why = "whole numbers or truth values";
    } else if (computed.contains(initializer.name)) {
      const bool scalar = initializer.data.size() == 1 && initializer.data.shape().rank() <= 1;
      const bool running =
          is_running_name(initializer.name) && (scalar || is_neutral(initializer.data, found->second));
      decision.kind =
          running || is_mask(initializer.data) ? Decision::Kind::buffer : Decision::Kind::parameter;
      decision.why = running ? std::string("not learned: ") +
                                   (scalar ? "a single number" : "ones or zeros that change nothing,") +
                                   " under a name that the exporter counted up"
                     : decision.kind == Decision::Kind::buffer
                         ? "not learned: a mask (0 and one very negative number, or infinite)"
                         : "learned: an initialiser of real numbers, used by " + in_words(use);
      if (decision.kind == Decision::Kind::parameter && statistic != found->second.end()) {
        decision.why += "; also a running statistic of " + in_words(*statistic) + ", where it is held fixed";
      }
    } else if (statistic != found->second.end()) {
      decision.kind = Decision::Kind::buffer;
      decision.role = ParameterRole::statistic;
      decision.why = "not learned: a running statistic of " + in_words(*statistic);
    } else {
      decision.why = "a setting of " + in_words(use);
    }
    decisions.emplace(initializer.name, std::move(decision));
  }
  tie_copies(model, decisions);
  return decisions;
}

}  // namespace tangra::load::onnx
