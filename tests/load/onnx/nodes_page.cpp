#include "nodes_page.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "ops/cases.h"
#include "support/networks.h"
#include "support/support.h"
#include "tangra/differentiate/sweeps.h"
#include "tangra/load/onnx/lowering.h"
#include "tangra/ops/op.h"

namespace tangra::test::onnx {
namespace {

using differentiate::Program;

double dot(const Tensor<double>& a, const Tensor<double>& b) {
  double sum = 0;
  for (Index k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

std::string joined(const std::set<std::string>& parts, const std::string& between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

/// What the Jacobian by a batch-free input may be kept as, over all cases of tests/ops: by input.
std::vector<std::set<std::string>> forms_by_input(const std::string& op) {
  std::vector<std::set<std::string>> forms;
  for (const ops::Case& one : ops::all_cases()) {
    if (one.op != op) continue;
    Node node{.op = op, .name = "node", .attributes = one.attributes, .inputs = {}, .outputs = {}};
    for (std::size_t k = 0; k < one.inputs.size(); ++k) node.inputs.push_back(static_cast<ValueId>(k));
    forms.resize(std::max(forms.size(), one.inputs.size()));
    const ops::Op& found = *ops::find_op(op);
    const std::vector<std::optional<double>> constants(one.inputs.size());
    const auto view = found.view_of_output(node, one.inputs, constants, 0);
    for (std::size_t k = 0; k < one.inputs.size(); ++k) {
      const auto input = static_cast<int>(k);
      if (view && view->input == input) forms[k].insert("view");
      // Of all outer forms, that of a table alone has tokens in place of its right factor.
      if (found.has_outer_form(node, one.inputs, input))
        forms[k].insert(op == "GatherData" ? "by token" : "outer");
      else
        forms[k].insert(found.passes_cotangent(node, one.inputs, input) ? "cotangent" : "explicit");
    }
  }
  return forms;
}

/// "explicit", or by input where these differ: "0 explicit; 1 outer".
std::string forms_of(const std::string& op) {
  const auto forms = forms_by_input(op);
  const bool alike = std::ranges::all_of(forms, [&](const auto& own) { return own == forms.front(); });
  if (alike && !forms.empty()) return joined(forms.front(), ", ");
  std::string text;
  for (std::size_t k = 0; k < forms.size(); ++k)
    text += (k == 0 ? "" : "; ") + std::to_string(k) + " " + joined(forms[k], ", ");
  return text;
}

/// The rows of one operator of ONNX.
struct Line {
  int passed = 0;
  int compared = 0;
  bool flat = true;
  std::set<std::string> made_of;
  std::map<std::string, std::vector<std::string>> left_out;  ///< names of cases, by reason
};

std::string forms_of_line(const std::string& op, const Line& line) {
  // What only brings entries into place says nothing of the operator that needs it.
  static const std::set<std::string> plumbing = {"Reshape", "Transpose", "Slice", "Concat", "Identity"};
  std::set<std::string> parts = line.made_of;
  if (ops::find_op(op) != nullptr) parts.insert(op);
  const auto own = [&](const std::string& part) { return part == op || !plumbing.contains(part); };
  const bool any = std::ranges::any_of(parts, own);
  std::string text;
  for (const std::string& part : parts) {
    if (any && !own(part)) continue;
    text += (text.empty() ? "" : " · ") + (part == op ? "" : part + ": ") + forms_of(part);
  }
  return text.empty() ? "see operators.md" : text;
}

void write_line(std::ostream& page, const std::string& op, const Line& line, bool folded) {
  const std::string slope = folded               ? ""
                            : line.compared == 0 ? "yes"
                            : line.flat          ? "0"
                                                 : std::to_string(line.compared);
  std::size_t left_out = 0;
  for (const auto& [reason, names] : line.left_out) left_out += names.size();
  page << "| " << op << " | " << (folded ? "constants" : "yes") << " | " << slope << " | " << slope << " | "
       << (folded ? "" : forms_of_line(op, line)) << " | " << line.passed << " | ";
  if (left_out > 0) page << left_out;
  page << " |\n";
}

void write_left_out(std::ostream& page, const std::map<std::string, Line>& lines) {
  for (const auto& [op, line] : lines) {
    for (const auto& [reason, names] : line.left_out) {
      page << "| " << op << " | ";
      for (std::size_t k = 0; k < names.size(); ++k) page << (k == 0 ? "" : ", ") << names[k];
      std::string clean = reason;
      std::ranges::replace(clean, '|', '/');
      page << " | " << clean << " |\n";
    }
  }
}

constexpr const char* beginning =
    "# ONNX's operators and their own test cases\n\n"
    "Made by `tests/load/onnx/nodes_test.cpp` from the cases in Debian's libonnx-testdata 1.12 (opsets to "
    "17), each of\n"
    "them loaded as one sample. A case passes if the outputs are right in its own precision, to that suite's "
    "tolerance.\n"
    "\n"
    "## Operators that are read\n"
    "\n"
    "- *forward*: `constants`: evaluated while the file is read, nowhere else.\n"
    "- *pull-back*, *push-forward*: in how many of the cases ⟨Jv, u⟩ = ⟨v, Jᵀu⟩ was compared; `0` where all "
    "derivatives\n"
    "  are; `yes` without such a case. tests/ops compares both, and finite differences, for every operator "
    "of the graph.\n"
    "- *form*: what the Jacobian by an input is kept as where that is a parameter "
    "([operators.md](operators.md)): of the\n"
    "  operators of the graph that it becomes, by input (counted from 0) where these differ.\n"
    "- *passed*, *left out*: cases; the reasons are below. Operators without cases are newer than the "
    "suite.\n"
    "\n"
    "| operator | forward | pull-back | push-forward | form | passed | left out |\n"
    "|---|---|---|---|---|---|---|\n";

}  // namespace

const std::set<std::string>& folded_only() {
  static const std::set<std::string> ops = {"Constant", "ConstantOfShape", "CumSum", "EyeLike",
                                            "NonZero",  "Range",           "Shape",  "Size"};
  return ops;
}

void compare_sweeps(const Graph& graph, std::vector<Tensor<double>> samples, Outcome& outcome) {
  const auto shared = std::make_shared<const Graph>(graph);
  const TestContext test;
  const Program<double> program(shared, test.context);
  const auto activations = differentiate::forward(program, std::move(samples), test.context);
  std::map<ValueId, Tensor<double>> v;
  std::map<ValueId, ops::Operand<double>> tangents;
  unsigned seed = 1;
  for (const ValueId input : graph.inputs) {
    v[input] = random_tensor(graph.shape(input).with_leading(1).with_leading(1), ++seed);
    tangents[input] = {v[input].data(), v[input].size()};
  }
  bool any = false;
  for (const ValueId output : graph.outputs) {
    Tensor<double> u = random_tensor(graph.shape(output).with_leading(1).with_leading(1), ++seed);
    const Tensor<double> moved =
        differentiate::push_forward<double>(program, activations, 1, tangents, output, test.context);
    const auto pulled = differentiate::reverse<double>(
        program, activations, {.of = output, .parameters = false, .values = graph.inputs}, u.clone(),
        test.context);
    double right = 0, length = 0, direction = 0;
    for (std::size_t k = 0; k < graph.inputs.size(); ++k) {
      if (pulled.values[k] == nullptr) continue;
      const Tensor<double>& own = v.at(graph.inputs[k]);
      right += dot(own, *pulled.values[k]);
      length += dot(*pulled.values[k], *pulled.values[k]);
      direction += dot(own, own);
    }
    const double left = dot(moved, u),
                 size = std::sqrt(dot(moved, moved) * dot(u, u)) + std::sqrt(length * direction);
    if (!std::isfinite(left) || !std::isfinite(right)) continue;
    any = true;
    outcome.flat = outcome.flat && size == 0;
    // Either side is a sum of products with a few dozen roundings behind each.
    if (!(std::abs(left - right) <= 64 * 0x1p-52 * size)) {
      outcome.failure = "<J v, u> is " + std::to_string(left) + ", <v, J^T u> is " + std::to_string(right);
    }
  }
  outcome.compared = any;
}

std::string page_of(const Outcomes& outcomes) {
  std::map<std::string, Line> read, others;
  for (const auto& [op, row] : load::onnx::all_rows()) read[op];
  for (const std::string& op : folded_only()) read[op];
  for (const auto& [name, outcome] : outcomes) {
    Line& line = read.contains(outcome.op) ? read[outcome.op] : others[outcome.op];
    if (!outcome.left_out.empty()) {
      line.left_out[outcome.left_out].push_back(name.substr(name.find("test_") + 5));
      continue;
    }
    ++line.passed;
    line.compared += outcome.compared ? 1 : 0;
    line.flat = line.flat && outcome.flat;
    line.made_of.insert(outcome.made_of.begin(), outcome.made_of.end());
  }
  std::ostringstream page;
  page << beginning;
  for (const auto& [op, line] : read) write_line(page, op, line, folded_only().contains(op));
  const int several = others["(several)"].passed;
  page << "\nAnd " << several << " cases of several operators each.\n\n## Left out\n\n"
       << "| operator | cases | reason |\n|---|---|---|\n";
  read.merge(others);
  write_left_out(page, read);
  return page.str();
}

}  // namespace tangra::test::onnx
