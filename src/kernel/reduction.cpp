#include "tangra/kernel/reduction.h"

#include <algorithm>
#include <charconv>

#include "tangra/base/error.h"

namespace tangra::kernel {
namespace {

[[noreturn]] void refuse(std::string what, std::string got, std::string expected) {
  throw Error(ErrorKind::usage, {.what = std::move(what), .where = "--reduce", .got = std::move(got),
                                 .expected = std::move(expected), .cure = {}});
}

std::vector<Index> parse_indices(std::string_view text) {
  std::string_view rest = text;
  if (rest.size() >= 2 && rest.front() == '(' && rest.back() == ')') rest = rest.substr(1, rest.size() - 2);
  std::vector<Index> indices;
  for (;;) {
    Index value = 0;
    const auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (failure != std::errc() || value < 0) {
      refuse("this is not an output", std::string(text), "an index such as output=3, or one for each axis: output=1,2");
    }
    indices.push_back(value);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    if (rest.empty()) return indices;
    if (rest.front() != ',') refuse("this is not an output", std::string(text), "indices with commas between them");
    rest.remove_prefix(1);
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  }
}

/// The flat index of the output that a single-output reduction selects.
Index flat_output(const Reduction& reduction, const Shape& outputs) {
  const Index count = outputs.elements();
  Index flat = 0;
  if (reduction.selected.size() == 1) {
    flat = reduction.selected.front();
  } else {
    if (static_cast<Index>(reduction.selected.size()) != outputs.rank()) {
      refuse("the output needs one index for each axis", std::to_string(reduction.selected.size()) + " indices",
             std::to_string(outputs.rank()) + " for outputs of shape " + to_string(outputs));
    }
    for (Index axis = 0; axis < outputs.rank(); ++axis) {
      const Index index = reduction.selected[static_cast<std::size_t>(axis)];
      if (index >= outputs[axis]) refuse("there is no such output", std::to_string(index), "below " + std::to_string(outputs[axis]));
      flat = flat * outputs[axis] + index;
    }
  }
  if (flat >= count) refuse("there is no such output", std::to_string(flat), "an index below " + std::to_string(count));
  return flat;
}

/// The outputs' flat indices grouped by direction: for each (g, f, t) those that are summed.
std::vector<std::vector<Index>> members_of(const std::vector<AxisReduction>& axes, const std::vector<Index>& selected,
                                           const Shape& outputs, factors::RowLayout& layout) {
  layout = {};
  for (Index axis = 0; axis < outputs.rank(); ++axis) {
    const AxisReduction kind = axes[static_cast<std::size_t>(axis)];
    if (kind == AxisReduction::full) layout.full *= outputs[axis];
    if (kind == AxisReduction::trace) layout.inner *= outputs[axis];
    if (kind == AxisReduction::diagonal) layout.planes *= outputs[axis];
  }
  std::vector<std::vector<Index>> members(static_cast<std::size_t>(layout.directions()));
  std::vector<Index> position(static_cast<std::size_t>(outputs.rank()), 0);
  for (Index flat = 0; flat < outputs.elements(); ++flat) {
    Index rest = flat;
    for (Index axis = outputs.rank(); axis-- > 0;) {
      position[static_cast<std::size_t>(axis)] = rest % outputs[axis];
      rest /= outputs[axis];
    }
    Index g = 0;
    Index f = 0;
    Index t = 0;
    bool chosen = true;
    for (Index axis = 0; axis < outputs.rank(); ++axis) {
      const AxisReduction kind = axes[static_cast<std::size_t>(axis)];
      const Index at = position[static_cast<std::size_t>(axis)];
      if (kind == AxisReduction::diagonal) g = g * outputs[axis] + at;
      if (kind == AxisReduction::full) f = f * outputs[axis] + at;
      if (kind == AxisReduction::trace) t = t * outputs[axis] + at;
      if (kind == AxisReduction::output) chosen = chosen && at == selected[static_cast<std::size_t>(axis)];
    }
    if (chosen) members[static_cast<std::size_t>((g * layout.full + f) * layout.inner + t)].push_back(flat);
  }
  return members;
}

}  // namespace

Reduction parse_reduction(std::string_view text) {
  if (text == "full") return {.axes = {AxisReduction::full}, .selected = {}, .mean = false};
  if (text == "trace") return {.axes = {AxisReduction::trace}, .selected = {}, .mean = false};
  if (text == "mean") return {.axes = {AxisReduction::trace}, .selected = {}, .mean = true};
  if (text == "diagonal") return {.axes = {AxisReduction::diagonal}, .selected = {}, .mean = false};
  if (text == "sum") return {.axes = {AxisReduction::sum}, .selected = {}, .mean = false};
  constexpr std::string_view prefix = "output=";
  if (text.starts_with(prefix)) {
    return {.axes = {AxisReduction::output}, .selected = parse_indices(text.substr(prefix.size())), .mean = false};
  }
  refuse("there is no such reduction", std::string(text), "full, trace, mean, diagonal, sum or output=K");
}

std::string to_string(const Reduction& reduction) {
  if (reduction.axes.size() != 1) return "mixed";
  switch (reduction.axes.front()) {
    case AxisReduction::full: return "full";
    case AxisReduction::trace: return reduction.mean ? "mean" : "trace";
    case AxisReduction::diagonal: return "diagonal";
    case AxisReduction::sum: return "sum";
    case AxisReduction::output: break;
  }
  std::string text = "output=";
  for (std::size_t k = 0; k < reduction.selected.size(); ++k) text += (k > 0 ? "," : "") + std::to_string(reduction.selected[k]);
  return text;
}

LoweredReduction lower(const Reduction& reduction, const Shape& outputs) {
  std::vector<AxisReduction> axes = reduction.axes;
  LoweredReduction result;
  if (outputs.elements() == 0) refuse("the output has no entries", "shape " + to_string(outputs), "one entry or more");
  if (reduction.is(AxisReduction::output)) {
    result.members = {{flat_output(reduction, outputs)}};
    return result;
  }
  result.keeps_planes = std::ranges::find(axes, AxisReduction::diagonal) != axes.end();
  result.keeps_full = std::ranges::find(axes, AxisReduction::full) != axes.end();
  if (axes.size() == 1) axes.assign(static_cast<std::size_t>(outputs.rank()), axes.front());
  if (static_cast<Index>(axes.size()) != outputs.rank()) {
    refuse("a reduction by axis needs one entry for each axis of the outputs", std::to_string(axes.size()),
           std::to_string(outputs.rank()));
  }
  result.members = members_of(axes, reduction.selected, outputs, result.layout);
  if (reduction.mean) result.divisor = static_cast<double>(result.layout.inner);
  return result;
}

Shape LoweredReduction::kernel_shape(Index n1, Index n2) const {
  Shape shape;
  if (keeps_planes) shape.append(layout.planes);
  shape.append(n1);
  if (keeps_full) shape.append(layout.full);
  shape.append(n2);
  if (keeps_full) shape.append(layout.full);
  return shape;
}

std::vector<std::string> LoweredReduction::kernel_axes() const {
  std::vector<std::string> names;
  if (keeps_planes) names.emplace_back("outputs");
  names.emplace_back("samples");
  if (keeps_full) names.emplace_back("outputs");
  names.emplace_back("samples2");
  if (keeps_full) names.emplace_back("outputs2");
  return names;
}

Shape LoweredReduction::self_shape(Index n) const {
  Shape shape{n};
  if (keeps_planes) shape.append(layout.planes);
  if (keeps_full) {
    shape.append(layout.full);
    shape.append(layout.full);
  }
  return shape;
}

}  // namespace tangra::kernel
