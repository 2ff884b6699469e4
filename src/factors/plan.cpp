#include <algorithm>
#include <map>

#include "tangra/factors/plan.h"

namespace tangra::factors {
namespace {

/// Terms of one parameter that speak of the same entries.
struct Region {
  std::vector<int> terms;
  Index positions = 0;
  bool outer = true;
  bool vectors_only = true;
};

bool overlap(const Place& a, const Place& b) {
  std::vector<Index> of_a = a.entries();
  std::vector<Index> of_b = b.entries();
  std::ranges::sort(of_a);
  std::ranges::sort(of_b);
  std::vector<Index> common;
  std::ranges::set_intersection(of_a, of_b, std::back_inserter(common));
  return !common.empty();
}

template <class T>
std::vector<Region> regions_of(const FactorBlock<T>& block, const std::vector<int>& terms) {
  std::vector<Region> regions;
  for (const int index : terms) {
    const Term<T>& term = block.terms[static_cast<std::size_t>(index)];
    const auto same = std::ranges::find_if(regions, [&](const Region& region) {
      return block.terms[static_cast<std::size_t>(region.terms.front())].place.same_entries(term.place);
    });
    Region& region = same == regions.end() ? regions.emplace_back() : *same;
    region.terms.push_back(index);
    region.positions += term.positions;
    region.outer = region.outer && term.form == Form::outer;
    region.vectors_only = region.vectors_only && term.form == Form::vector;
  }
  return regions;
}

template <class T>
bool any_overlap(const FactorBlock<T>& block, const std::vector<Region>& regions) {
  for (std::size_t a = 0; a < regions.size(); ++a) {
    for (std::size_t b = a + 1; b < regions.size(); ++b) {
      if (overlap(block.terms[static_cast<std::size_t>(regions[a].terms.front())].place,
                  block.terms[static_cast<std::size_t>(regions[b].terms.front())].place)) {
        return true;
      }
    }
  }
  return false;
}

/// Multiply-adds for one pair of samples: of the entry-wise product of Grams, s streams each way.
double cost_of_grams(const RowLayout& layout, double streams, double channels, double fan_in) {
  const double planes = static_cast<double>(layout.planes);
  const double full = static_cast<double>(layout.full);
  const double inner = static_cast<double>(layout.inner);
  return planes * streams * streams * (full * full * (inner * channels + 1) + fan_in);
}

double cost_of_rows(const RowLayout& layout, double size) {
  return static_cast<double>(layout.planes * layout.full * layout.full * layout.inner) * size;
}

template <class T>
Contraction contraction_of(const FactorBlock<T>& block, const Region& region, const RowLayout& layout) {
  const Term<T>& first = block.terms[static_cast<std::size_t>(region.terms.front())];
  Contraction result{.parameter = first.place.parameter, .part = 0, .order = Order::explicit_rows, .streams = {},
                     .terms = region.terms, .one_region = true, .row_entries = first.place.shape.elements(),
                     .bias_term = -1, .constant = 0, .multiply_adds = 0, .reason = {}};
  const auto size = static_cast<double>(first.place.shape.elements());
  result.multiply_adds = cost_of_rows(layout, size);
  if (region.vectors_only) {
    result.reason = "the explicit row is the factor";
    return result;
  }
  if (!region.outer) {
    result.reason = "different forms of use meet";
    return result;
  }
  const double grams = cost_of_grams(layout, static_cast<double>(region.positions),
                                     static_cast<double>(first.place.shape[0]), static_cast<double>(first.place.shape[1]));
  if (grams > result.multiply_adds) {
    result.reason = "fewer operations than both Grams";
    return result;
  }
  result.order = Order::both_grams;
  result.multiply_adds = grams;
  result.reason = "fewer operations than explicit rows";
  for (const int term : region.terms) {
    for (Index d = 0; d < block.terms[static_cast<std::size_t>(term)].positions; ++d) {
      result.streams.push_back({.term = term, .position = d});
    }
  }
  return result;
}

/// Lets a bias that is the cotangent of a weight's use ride along with it.
template <class T>
void join_biases(const FactorBlock<T>& block, std::vector<Contraction>& contractions) {
  for (std::size_t b = 0; b < contractions.size(); ++b) {
    if (contractions[b].terms.size() != 1 || contractions[b].order != Order::explicit_rows) continue;
    const Term<T>& bias = block.terms[static_cast<std::size_t>(contractions[b].terms.front())];
    if (bias.form != Form::vector) continue;
    const auto host = std::ranges::find_if(contractions, [&](const Contraction& other) {
      if (other.order != Order::both_grams || other.streams.size() != 1 || other.bias_term >= 0 ||
          other.part != contractions[b].part) {
        return false;
      }
      return block.terms[static_cast<std::size_t>(other.terms.front())].left == bias.left;
    });
    if (host == contractions.end()) continue;
    const double weight_scale = block.terms[static_cast<std::size_t>(host->terms.front())].place.scale;
    if (weight_scale == 0) continue;
    const double ratio = bias.place.scale / weight_scale;
    host->bias_term = contractions[b].terms.front();
    host->constant = ratio * ratio;
    contractions.erase(contractions.begin() + static_cast<std::ptrdiff_t>(b));
    --b;
  }
}

}  // namespace

double ContractionPlan::multiply_adds() const {
  double sum = 0;
  for (const Contraction& contraction : contractions) sum += contraction.multiply_adds;
  return sum;
}

bool ContractionPlan::mostly_explicit() const {
  double sum = 0;
  for (const Contraction& contraction : contractions) {
    if (contraction.order == Order::explicit_rows) sum += contraction.multiply_adds;
  }
  return 2 * sum >= multiply_adds();
}

template <class T>
ContractionPlan plan_contractions(const FactorBlock<T>& sample, const RowLayout& layout, const std::vector<int>& part_of,
                                  const std::vector<Index>& sizes, bool only_explicit) {
  std::map<ParameterId, std::vector<int>> by_parameter;
  for (std::size_t index = 0; index < sample.terms.size(); ++index) {
    by_parameter[sample.terms[index].place.parameter].push_back(static_cast<int>(index));
  }
  ContractionPlan plan{.layout = layout, .contractions = {}};
  for (const auto& [parameter, terms] : by_parameter) {
    const int part = part_of[static_cast<std::size_t>(parameter)];
    if (part < 0) continue;
    const std::vector<Region> regions = regions_of(sample, terms);
    const std::size_t before = plan.contractions.size();
    if (only_explicit || (regions.size() > 1 && any_overlap(sample, regions))) {
      const Index size = sizes[static_cast<std::size_t>(parameter)];
      plan.contractions.push_back({.parameter = parameter, .part = part, .order = Order::explicit_rows, .streams = {},
                                   .terms = terms, .one_region = false, .row_entries = size, .bias_term = -1, .constant = 0,
                                   .multiply_adds = cost_of_rows(layout, static_cast<double>(size)),
                                   .reason = only_explicit ? "as asked for" : "uses of overlapping regions meet"});
    } else {
      for (const Region& region : regions) plan.contractions.push_back(contraction_of(sample, region, layout));
    }
    for (std::size_t k = before; k < plan.contractions.size(); ++k) plan.contractions[k].part = part;
  }
  join_biases(sample, plan.contractions);
  return plan;
}

template ContractionPlan plan_contractions<float>(const FactorBlock<float>&, const RowLayout&, const std::vector<int>&,
                                                  const std::vector<Index>&, bool);
template ContractionPlan plan_contractions<double>(const FactorBlock<double>&, const RowLayout&, const std::vector<int>&,
                                                   const std::vector<Index>&, bool);

}  // namespace tangra::factors
