// The test cases of ONNX's operators as Debian's libonnx-testdata has them: forward, in each case's own
// precision; and on each, the pull-back is the adjoint of the push-forward. What passes and what is left out,
// with reasons, is docs/onnx-nodes.md: TANGRA_UPDATE_DOCS=1 writes it anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "nodes_page.h"
#include "run.h"
#include "support/support.h"
#include "tangra/base/error.h"
#include "tangra/load/onnx/fold.h"
#include "tangra/load/onnx/lowering.h"
#include "tangra/load/onnx/network.h"
#include "tangra/load/onnx/read.h"

namespace tangra::test::onnx {
namespace {

namespace fs = std::filesystem;
namespace reader = tangra::load::onnx;

const fs::path data = "/usr/share/libonnx-testdata/data";
const fs::path page = fs::path(TANGRA_PROJECT) / "docs/onnx-nodes.md";

std::vector<Array> arrays_in(const fs::path& folder, const std::string& prefix) {
  std::vector<Array> arrays;
  for (int k = 0; fs::exists(folder / (prefix + std::to_string(k) + ".pb")); ++k) {
    arrays.push_back(reader::read_tensor_file(folder / (prefix + std::to_string(k) + ".pb")));
  }
  return arrays;
}

/// The suite's own tolerance: 1e-3 of the entry and 1e-7.
std::string difference(const Array& expected, const Shape& shape, std::span<const double> found) {
  if (expected.shape() != shape) return "shape " + to_string(shape) + ", not " + to_string(expected.shape());
  const auto wanted = reader::reals_of(expected);
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const bool both_nan = std::isnan(wanted[k]) && std::isnan(found[k]);
    if (both_nan || found[k] == wanted[k] ||
        std::abs(found[k] - wanted[k]) <= 1e-7 + 1e-3 * std::abs(wanted[k]))
      continue;
    return "entry " + std::to_string(k) + " is " + std::to_string(found[k]) + ", not " +
           std::to_string(wanted[k]);
  }
  return {};
}

/// Inputs that are settings in any real network, or can only be folded, become initialisers.
void bake_settings(reader::FileModel& model, std::vector<Array>& inputs) {
  std::vector<reader::ValueInfo> kept;
  std::vector<Array> values;
  for (std::size_t k = 0; k < model.inputs.size(); ++k) {
    bool setting = false;
    for (const reader::FileNode& node : model.nodes) {
      const reader::Row* row = reader::find_row(node.op);
      for (std::size_t at = 0; at < node.inputs.size(); ++at) {
        const bool fixed = row == nullptr || std::ranges::find(row->fixed, at) != row->fixed.end();
        const bool statistic = node.op == "BatchNormalization";
        setting = setting || (node.inputs[at] == model.inputs[k].name && fixed && !statistic);
      }
    }
    if (setting) {
      model.initializers.push_back({model.inputs[k].name, inputs[k]});
    } else {
      kept.push_back(model.inputs[k]);
      values.push_back(inputs[k]);
    }
  }
  model.inputs = kept;
  inputs = values;
}

template <class T>
std::vector<Tensor<T>> samples_of(const Graph& graph, const reader::FileModel& model,
                                  const std::vector<Array>& inputs) {
  std::vector<Tensor<T>> samples;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (graph.find_value(model.inputs[k].name) == no_id) continue;
    samples.push_back(inputs[k].reshaped(inputs[k].shape().with_leading(1)).converted<T>());
  }
  return samples;
}

template <class T>
std::string ran_wrong(const Graph& graph, const reader::FileModel& model, const std::vector<Array>& inputs,
                      const std::vector<Array>& expected) {
  const auto results = run<T>(std::make_shared<const Graph>(graph), samples_of<T>(graph, model, inputs));
  for (std::size_t k = 0; k < std::min(results.size(), expected.size()); ++k) {
    const std::vector<double> found(results[k].begin(), results[k].end());
    const std::string wrong = difference(expected[k], graph.shape(graph.outputs[k]), found);
    if (!wrong.empty()) return wrong;
  }
  return results.size() == expected.size() ? "" : "other number of outputs";
}

/// The same operator of constants, where folding knows it.
std::string folded_wrong(const reader::FileModel& model, const std::vector<Array>& inputs,
                         const std::vector<Array>& expected) {
  const reader::FileNode& node = model.nodes.front();
  if (model.nodes.size() != 1 || reader::find_fold(node) == nullptr) return {};
  std::vector<const Array*> arrays;
  for (const std::string& name : node.inputs) {
    const auto given = std::ranges::find(model.inputs, name, &reader::ValueInfo::name);
    const auto stored = std::ranges::find(model.initializers, name, &reader::Initializer::name);
    if (given != model.inputs.end())
      arrays.push_back(&inputs[static_cast<std::size_t>(given - model.inputs.begin())]);
    else
      arrays.push_back(stored == model.initializers.end() ? nullptr : &stored->data);
  }
  reader::FoldMemory memory(1 << 20);
  const auto results = reader::find_fold(node)({node, arrays, model.opset, memory});
  for (std::size_t k = 0; k < std::min(results.size(), expected.size()); ++k) {
    const std::string wrong = difference(expected[k], results[k].shape(), reader::reals_of(results[k]));
    if (!wrong.empty()) return "folded: " + wrong;
  }
  return {};
}

/// Cases that cannot pass, and why.
std::string known_exception(const std::string& name) {
  if (name.find("BFLOAT16") != std::string::npos) return "bfloat16 is widened to float32 when a file is read";
  if (name == "test_resize_downsample_scales_linear_align_corners") {
    return "the case divides by a length that is no whole number; ONNX Runtime and PyTorch use the result's "
           "length, as here";
  }
  return {};
}

bool only_constants(const reader::FileModel& model) {
  return folded_only().contains(model.nodes.front().op);
}

Outcome outcome_of(const fs::path& folder) {
  Outcome outcome;
  reader::FileModel model;
  try {
    model = reader::read_file(folder / "model.onnx");
    outcome.op = model.nodes.size() == 1 ? model.nodes.front().op : "(several)";
    outcome.left_out = known_exception(folder.filename().string());
    if (!outcome.left_out.empty()) return outcome;
    std::vector<Array> inputs = arrays_in(folder / "test_data_set_0", "input_");
    const std::vector<Array> expected = arrays_in(folder / "test_data_set_0", "output_");
    if (inputs.size() != model.inputs.size()) {
      outcome.left_out = "inputs that are no arrays";
      return outcome;
    }
    outcome.failure = folded_wrong(model, inputs, expected);
    if (!outcome.failure.empty() || only_constants(model)) return outcome;
    bake_settings(model, inputs);
    const Graph graph = reader::network_of(model, {.whole_inputs = true});
    const bool is_double =
        std::ranges::any_of(expected, [](const Array& one) { return one.type() == DType::float64; });
    outcome.failure = is_double ? ran_wrong<double>(graph, model, inputs, expected)
                                : ran_wrong<float>(graph, model, inputs, expected);
    for (const Node& node : graph.nodes) outcome.made_of.insert(node.op);
    if (outcome.failure.empty()) compare_sweeps(graph, samples_of<double>(graph, model, inputs), outcome);
  } catch (const Error& error) {
    const Complaint& why = error.complaint();
    outcome.left_out = why.what + (why.got.empty() ? "" : ": " + why.got);
    if (outcome.op.empty()) outcome.op = "(unread)";
    // What is refused as damaged or broken would be our own fault.
    if (error.kind() == ErrorKind::internal) outcome.failure = error.what();
  }
  return outcome;
}

Outcomes walk(const std::string& suite) {
  Outcomes outcomes;
  if (!fs::is_directory(data / suite)) return outcomes;
  for (const auto& entry : fs::directory_iterator(data / suite)) {
    if (fs::exists(entry.path() / "model.onnx"))
      outcomes[suite + "/" + entry.path().filename().string()] = outcome_of(entry.path());
  }
  return outcomes;
}

TEST(OnnxNodes, PassOrAreLeftOutForAReason) {
  Outcomes all;
  for (const char* suite : {"node", "pytorch-operator", "pytorch-converted"}) all.merge(walk(suite));
  if (all.empty()) GTEST_SKIP() << "libonnx-testdata is not installed";
  for (const auto& [name, outcome] : all) {
    EXPECT_EQ(outcome.failure, "") << name;
  }
  const std::string text = page_of(all);
  if (std::getenv("TANGRA_UPDATE_DOCS") != nullptr) std::ofstream(page) << text;
  std::ifstream stream(page);
  const std::string written((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const auto [found, wanted] = std::ranges::mismatch(written, text);
  EXPECT_TRUE(written == text)
      << "docs/onnx-nodes.md is not up to date (run with TANGRA_UPDATE_DOCS=1): it says\n"
      << std::string(found, written.end()).substr(0, 200) << "\nwhere it should say\n"
      << std::string(wanted, text.end()).substr(0, 200);
}

}  // namespace
}  // namespace tangra::test::onnx
