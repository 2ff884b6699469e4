#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "tangra/factors/plan.h"

namespace tangra::factors {
namespace {

/// Explicit rows of one sample beyond this many entries are cut into chunks, so that a budget can hold them one by one.
constexpr double chunk_entries = 1 << 24;
/// Products of small matrices for each pair of samples run at some two thirds of the rate of large ones, and an addition
/// of a shifted Gram entry takes the time of so many multiply-adds.
constexpr double small_products = 1.5;
constexpr double shifted_addition = 16;

/// Terms of one parameter that speak of the same entries.
struct Region {
  std::vector<int> terms;
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

/// The order that is taken for a region, and why.
struct Choice {
  OrderCost cost;
  std::vector<OrderCost> orders;
  std::string reason;
};

template <class T>
class RegionCosts {
 public:
  RegionCosts(const FactorBlock<T>& block, const std::vector<int>& terms, const RowLayout& layout)
      : planes_(static_cast<double>(layout.planes)),
        full_(static_cast<double>(layout.full)),
        inner_(static_cast<double>(layout.inner)) {
    for (const int term : terms) terms_.push_back(&block.terms[static_cast<std::size_t>(term)]);
  }

  /// What of `size` entries explicit rows take.
  OrderCost explicit_rows(double size) const {
    OrderCost cost{.order = Order::explicit_rows};
    cost.multiply_adds = planes_ * full_ * full_ * inner_ * size;
    cost.entries = directions() * size;
    for (const Term<T>* term : terms_) {
      if (term->form == Form::outer) cost.forming += directions() * positions(*term) * length(*term, 0) * length(*term, 1);
      if (term->form == Form::gather) cost.forming += directions() * positions(*term) * length(*term, 1);
    }
    return cost;
  }

  /// Streams are positions of terms; each of their pairs is a product of two Gram matrices.
  std::optional<OrderCost> both_grams() const {
    if (!all(&is_outer)) return std::nullopt;
    double streams = 0;
    for (const Term<T>* term : terms_) streams += positions(*term);
    const double channels = length(*terms_.front(), 0);
    const double fan_in = length(*terms_.front(), 1);
    OrderCost cost{.order = Order::both_grams};
    cost.multiply_adds = planes_ * streams * streams * (full_ * full_ * (inner_ * channels + 1) + fan_in);
    cost.entries = streams * (directions() * channels + fan_in);
    return cost;
  }

  std::optional<OrderCost> position_grams(Order order) const {
    const bool pixels = order == Order::pixel_grams;
    if (!all(pixels ? &has_pixels : &is_outer_or_gather)) return std::nullopt;
    OrderCost cost{.order = order, .weight = small_products};
    double additions = 0;
    for (const Term<T>* one : terms_) {
      cost.entries += kept(*one, pixels);
      for (const Term<T>* other : terms_) {
        cost.multiply_adds += pair(*one, *other, pixels);
        if (pixels) additions += positions(*one) * positions(*other) * static_cast<double>(one->pixel_map->tap_count());
      }
    }
    cost.weight *= (cost.multiply_adds + shifted_addition * additions) / std::max(1.0, cost.multiply_adds);
    cost.multiply_adds += additions;
    return cost;
  }

 private:
  static bool is_outer(const Term<T>& term) { return term.form == Form::outer && term.groups == 1; }
  static bool is_outer_or_gather(const Term<T>& term) { return is_outer(term) || term.form == Form::gather; }
  static bool has_pixels(const Term<T>& term) { return is_outer(term) && term.pixel_map != nullptr; }
  bool all(bool (*holds)(const Term<T>&)) const {
    return std::ranges::all_of(terms_, [&](const Term<T>* term) { return holds(*term); });
  }
  static double positions(const Term<T>& term) { return static_cast<double>(term.positions); }
  static double length(const Term<T>& term, Index axis) { return static_cast<double>(term.place.shape[axis]); }
  double directions() const { return planes_ * full_ * inner_; }
  /// Entries of the left factor at one position.
  static double width(const Term<T>& term) { return length(term, term.form == Form::gather ? 1 : 0); }

  double kept(const Term<T>& term, bool pixels) const {
    const double right = term.form == Form::gather ? positions(term)
                         : pixels ? static_cast<double>(term.pixel_map->pixels) * length(term, 1) / static_cast<double>(term.pixel_map->tap_count())
                                                   : positions(term) * length(term, 1);
    return directions() * positions(term) * width(term) + right;
  }

  double pair(const Term<T>& one, const Term<T>& other, bool pixels) const {
    const double cells = positions(one) * positions(other);
    const double last = planes_ * full_ * full_ * inner_;
    if (one.form != other.form) {  // the gathered left with the right of the other
      return directions() * cells * length(one, 1) + last * cells;
    }
    if (one.form == Form::gather) return cells + last * std::min(positions(one), positions(other)) * length(one, 1);
    double gram = cells * length(one, 1);
    if (pixels) {
      const double image = static_cast<double>(one.pixel_map->pixels * other.pixel_map->pixels);
      gram = image * length(one, 1) / static_cast<double>(one.pixel_map->tap_count());
    }
    return gram + directions() * cells * width(one) + last * positions(one) * width(one);
  }

  double planes_, full_, inner_;
  std::vector<const Term<T>*> terms_;
};

/// All orders that apply to a region, explicit rows first.
template <class T>
std::vector<OrderCost> costs_of(const FactorBlock<T>& block, const Region& region, const RowLayout& layout) {
  const RegionCosts<T> costs(block, region.terms, layout);
  const Place& place = block.terms[static_cast<std::size_t>(region.terms.front())].place;
  std::vector<OrderCost> all{costs.explicit_rows(static_cast<double>(place.shape.elements()))};
  if (const auto grams = costs.both_grams()) all.push_back(*grams);
  for (const Order order : {Order::position_grams, Order::pixel_grams}) {
    if (const auto grams = costs.position_grams(order)) all.push_back(*grams);
  }
  return all;
}

/// "cheapest of 4: position Grams 1.3 x", the next one and how much more it would take.
std::string cheapest(const OrderCost& best, const std::vector<OrderCost>& orders, const SampleCounts& counts) {
  const OrderCost* next = nullptr;
  for (const OrderCost& other : orders) {
    if (other.order != best.order && (next == nullptr || other.weighted(counts) < next->weighted(counts))) next = &other;
  }
  std::array<char, 32> times{};
  std::snprintf(times.data(), times.size(), " %.3g x", next->weighted(counts) / std::max(1.0, best.weighted(counts)));
  return "cheapest of " + std::to_string(orders.size()) + ": " + std::string(name_of(next->order)) + times.data();
}

template <class T>
Choice chosen(const FactorBlock<T>& block, const Region& region, const RowLayout& layout, const SampleCounts& counts,
              std::optional<Order> forced) {
  const std::vector<OrderCost> all = costs_of(block, region, layout);
  if (forced) {
    const auto found = std::ranges::find(all, *forced, &OrderCost::order);
    if (found == all.end()) return {.cost = all.front(), .orders = all, .reason = "the order asked for does not apply"};
    return {.cost = *found, .orders = all, .reason = "as asked for"};
  }
  const auto has = [&](Form form) {
    return std::ranges::any_of(region.terms, [&](int term) { return block.terms[static_cast<std::size_t>(term)].form == form; });
  };
  // A table's rows that no token reads are zeros and are not written out. Where its transpose is a last layer they are none,
  // but they may still take far more memory than the factors.
  constexpr double far_more = 4;
  const bool lazily = has(Form::gather) && all.size() > 1 &&
                      (!has(Form::outer) || all.front().entries > far_more * all[1].entries);
  const auto best = std::ranges::min_element(all.begin() + (lazily ? 1 : 0), all.end(), {},
                                             [&](const OrderCost& cost) { return cost.weighted(counts); });
  Choice choice{.cost = *best, .orders = all, .reason = {}};
  if (lazily) choice.reason = "rows of a table by tokens, never written out";
  else if (all.size() > 1) choice.reason = cheapest(*best, all, counts);
  else if (!has(Form::vector)) choice.reason = "groups of channels";
  else choice.reason = has(Form::outer) || has(Form::gather) ? "different forms of use meet" : "the explicit row is the factor";
  return choice;
}

/// The share of a chunk in what its region takes.
OrderCost part_of(OrderCost cost, double share) {
  cost.multiply_adds *= share;
  cost.forming *= share;
  cost.entries *= share;
  return cost;
}

template <class T>
void add_contractions(const FactorBlock<T>& block, const Region& region, const Choice& choice, const RowLayout& layout,
                      std::vector<Contraction>& contractions) {
  const Place& place = block.terms[static_cast<std::size_t>(region.terms.front())].place;
  const Index length = place.shape.rank() == 0 ? 1 : place.shape[0];
  const Index inner = place.shape.elements(1, place.shape.rank());
  Contraction whole{.parameter = place.parameter, .part = 0, .order = choice.cost.order, .streams = {}, .terms = region.terms,
                    .one_region = true, .first = 0, .last = length, .row_entries = length * inner, .bias_term = -1,
                    .constant = 0, .cost = choice.cost, .orders = choice.orders, .reason = choice.reason};
  if (whole.order == Order::both_grams) {
    for (const int term : region.terms) {
      for (Index d = 0; d < block.terms[static_cast<std::size_t>(term)].positions; ++d) {
        whole.streams.push_back({.term = term, .position = d});
      }
    }
  }
  const double row = static_cast<double>(layout.directions() * inner);
  const auto step = static_cast<Index>(std::max(1.0, chunk_entries / std::max(1.0, row)));
  if (whole.order != Order::explicit_rows || length <= step) {
    contractions.push_back(std::move(whole));
    return;
  }
  for (Index first = 0; first < length; first += step) {
    Contraction part = whole;
    part.first = first;
    part.last = std::min(length, first + step);
    part.row_entries = (part.last - first) * inner;
    const double share = static_cast<double>(part.last - first) / static_cast<double>(length);
    part.cost = part_of(part.cost, share);
    for (OrderCost& other : part.orders) other = part_of(other, share);
    part.reason += "; in chunks, as the row is long";
    contractions.push_back(std::move(part));
  }
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
  for (const Contraction& contraction : contractions) sum += contraction.cost.multiply_adds;
  return sum;
}

Wanted ContractionPlan::wanted() const {
  ParameterId most = -1;
  for (const ParameterId parameter : term_parameters) most = std::max(most, parameter);
  Wanted wanted(static_cast<std::size_t>(most + 1), false);
  for (const Contraction& contraction : contractions) {
    wanted[static_cast<std::size_t>(contraction.parameter)] = true;
    if (contraction.bias_term >= 0) wanted[static_cast<std::size_t>(term_parameters[static_cast<std::size_t>(contraction.bias_term)])] = true;
  }
  const bool all = std::ranges::all_of(term_parameters, [&](ParameterId p) { return wanted[static_cast<std::size_t>(p)]; });
  return all ? Wanted{} : wanted;
}

Index ContractionPlan::padded_row(std::size_t contraction) const {
  constexpr Index line = 16;
  const Index row = layout.directions() * contractions[contraction].row_entries;
  return (row + line - 1) / line * line;
}

Index ContractionPlan::explicit_entries() const {
  Index sum = 0;
  for (std::size_t k = 0; k < contractions.size(); ++k) {
    if (contractions[k].order == Order::explicit_rows) sum += padded_row(k);
  }
  return sum;
}

ContractionPlan ContractionPlan::part(std::size_t first, std::size_t last) const {
  const auto at = [&](std::size_t k) { return contractions.begin() + static_cast<std::ptrdiff_t>(k); };
  return {.layout = layout, .contractions = {at(first), at(last)}, .term_parameters = term_parameters};
}

bool ContractionPlan::is_divisible() const {
  double sum = 0;
  for (const Contraction& contraction : contractions) {
    if (contraction.order != Order::both_grams) sum += contraction.cost.multiply_adds;
  }
  return 2 * sum >= multiply_adds();
}

std::string_view name_of(Order order) {
  switch (order) {
    case Order::both_grams: return "both Grams";
    case Order::explicit_rows: return "explicit rows";
    case Order::position_grams: return "position Grams";
    case Order::pixel_grams: return "pixel Grams";
  }
  return {};
}

double SampleCounts::pairs() const {
  const auto n = static_cast<double>(rows);
  return columns == 0 ? n * (n + 1) / 2 : n * static_cast<double>(columns);
}

double SampleCounts::sweeps() const { return static_cast<double>(rows + columns); }

Work ContractionPlan::packing(const SampleCounts& counts, std::size_t entry_bytes) const {
  Work work;
  for (const Contraction& contraction : contractions) {
    work.multiply_adds += contraction.cost.forming * counts.sweeps();
    const double passes = contraction.order == Order::explicit_rows ? 1 : 3;  // kept, read again, packed
    work.bytes += passes * contraction.cost.entries * counts.sweeps() * static_cast<double>(entry_bytes);
  }
  return work;
}

Work ContractionPlan::contraction(const SampleCounts& counts, std::size_t entry_bytes) const {
  constexpr double tile_samples = 448;  // each tile reads the factors of its rows and of its columns once
  Work work{.multiply_adds = multiply_adds() * counts.pairs(), .bytes = 0};
  double entries = static_cast<double>(layout.planes * layout.full * layout.full);
  const double across = tile_samples / static_cast<double>(layout.full);
  for (const Contraction& contraction : contractions) entries += 2 * contraction.cost.entries / across;
  work.bytes = entries * counts.pairs() * static_cast<double>(entry_bytes);
  return work;
}

template <class T>
ContractionPlan plan_contractions(const FactorBlock<T>& sample, const RowLayout& layout, const std::vector<int>& part_of,
                                  const std::vector<Index>& sizes, const SampleCounts& counts, std::optional<Order> forced) {
  ContractionPlan plan{.layout = layout, .contractions = {}, .term_parameters = {}};
  std::map<ParameterId, std::vector<int>> by_parameter;
  for (std::size_t index = 0; index < sample.terms.size(); ++index) {
    by_parameter[sample.terms[index].place.parameter].push_back(static_cast<int>(index));
    plan.term_parameters.push_back(sample.terms[index].place.parameter);
  }
  for (const auto& [parameter, terms] : by_parameter) {
    const int part = part_of[static_cast<std::size_t>(parameter)];
    if (part < 0) continue;
    const std::vector<Region> regions = regions_of(sample, terms);
    const std::size_t before = plan.contractions.size();
    if (regions.size() > 1 && any_overlap(sample, regions)) {
      const Index size = sizes[static_cast<std::size_t>(parameter)];
      const OrderCost cost = RegionCosts<T>(sample, terms, layout).explicit_rows(static_cast<double>(size));
      plan.contractions.push_back({.parameter = parameter, .part = part, .order = Order::explicit_rows, .streams = {},
                                   .terms = terms, .one_region = false, .first = 0, .last = size, .row_entries = size,
                                   .bias_term = -1, .constant = 0, .cost = cost, .orders = {cost},
                                   .reason = "uses of overlapping regions meet"});
    } else {
      for (const Region& region : regions) {
        add_contractions(sample, region, chosen(sample, region, layout, counts, forced), layout, plan.contractions);
      }
    }
    for (std::size_t k = before; k < plan.contractions.size(); ++k) plan.contractions[k].part = part;
  }
  join_biases(sample, plan.contractions);
  return plan;
}

#define TANGRA_INSTANTIATE(T)                                                                                           \
  template ContractionPlan plan_contractions<T>(const FactorBlock<T>&, const RowLayout&, const std::vector<int>&,       \
                                                const std::vector<Index>&, const SampleCounts&, std::optional<Order>);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::factors
