#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tangra/factors/term.h"

namespace tangra::factors {

/// How the R directions of a sample enter a kernel: direction (g * full + f) * inner + t has plane g, row f and summed
/// index t.  K[g][(i,f),(j,f')] = sum_t J[(i,g,f,t)] . J'[(j,g,f',t)].
struct RowLayout {
  Index planes = 1;
  Index full = 1;
  Index inner = 1;

  Index directions() const { return planes * full * inner; }
  bool operator==(const RowLayout&) const = default;
};

/// The order in which a parameter's terms are contracted (docs/math.md, section 5).
enum class Order {
  both_grams,      ///< (d): Gram matrices of both factors, multiplied entry by entry
  explicit_rows,   ///< (a): the explicit Jacobian of the parameter, then its Gram matrix
  position_grams,  ///< (c): for each pair of samples the Gram matrix of the right factors' positions, then left after left;
                   ///< with `gather` terms the Gram of their one-hot rows is the equality of tokens
  pixel_grams,     ///< (e): as (c), the Gram matrix of patches as a sum over the taps of that of the pixels
};
/// "both Grams", "explicit rows", "position Grams", "pixel Grams".
std::string_view name_of(Order order);

/// One factor pair: position `position` of term `term`.
struct Stream {
  int term = 0;
  Index position = 0;
};

/// How many samples a kernel has: part of the shapes that orders are chosen from.
struct SampleCounts {
  Index rows = 1;
  Index columns = 0;  ///< 0: the rows once more, and K is symmetric

  double pairs() const;  ///< that are computed
  double sweeps() const;
};

/// What an order takes for the terms of one region of a parameter.
struct OrderCost {
  Order order = Order::explicit_rows;
  double multiply_adds = 0;  ///< for one pair of samples
  double forming = 0;        ///< multiply-adds for each sample before there are pairs: explicit rows
  double entries = 0;        ///< kept for each sample until the tiles are done
  double weight = 1;         ///< time of a multiply-add in a pair, against one of a large product

  /// Of all samples and pairs; and the multiply-adds of large products that take as long.
  double total(double samples, double pairs) const { return forming * samples + multiply_adds * pairs; }
  double weighted(double samples, double pairs) const { return forming * samples + weight * multiply_adds * pairs; }
  double weighted(const SampleCounts& counts) const { return weighted(counts.sweeps(), counts.pairs()); }
};

/// What is done with the terms of one parameter, or with those of one region of it.
struct Contraction {
  ParameterId parameter = no_id;
  int part = 0;
  Order order = Order::both_grams;
  std::vector<Stream> streams;  ///< both_grams: all of the same entries; every pair of them is one product
  std::vector<int> terms;       ///< the terms that are covered
  bool one_region = true;       ///< all terms speak of the same entries; explicit rows are over these alone
  Index first = 0;              ///< explicit rows of one region: its first axis from here,
  Index last = 0;               ///< to here: a large region is cut into chunks
  Index row_entries = 0;        ///< of an explicit row
  /// A bias whose factor is the same cotangent rides along: B B'^T o (X X'^T + constant).
  int bias_term = -1;
  double constant = 0;
  OrderCost cost;
  std::vector<OrderCost> orders;  ///< all that apply, the one that was taken among them
  std::string reason;
};

struct ContractionPlan {
  RowLayout layout;
  std::vector<Contraction> contractions;
  std::vector<ParameterId> term_parameters;  ///< of the source's terms, in their order
  /// Making and packing what contractions read, and the contractions themselves, for entries of `entry_bytes`.
  Work packing(const SampleCounts& counts, std::size_t entry_bytes) const;
  Work contraction(const SampleCounts& counts, std::size_t entry_bytes) const;
  double multiply_adds() const;
  /// The parameters that are read; none at all where these are all that have terms.
  Wanted wanted() const;
  /// Entries of all explicit rows of a sample, and of one contraction's, each with its padding to full cache lines.
  Index explicit_entries() const;
  Index padded_row(std::size_t contraction) const;
  /// The contractions [first, last) alone.
  ContractionPlan part(std::size_t first, std::size_t last) const;
  /// At least half of the multiply-adds lie in orders whose work inside of a tile can be divided: all but both_grams.
  bool is_divisible() const;
};

/// Chooses the order for every parameter from shapes alone. `sample` is any block of the source (one without samples suffices);
/// part_of[p] is the part of the result that parameter p adds to (-1: to none); sizes[p] its number of entries.
/// `forced` is taken wherever it applies, whatever it costs; explicit rows always do.
template <class T>
ContractionPlan plan_contractions(const FactorBlock<T>& sample, const RowLayout& layout, const std::vector<int>& part_of,
                                  const std::vector<Index>& sizes, const SampleCounts& counts,
                                  std::optional<Order> forced = std::nullopt);

#define TANGRA_DECLARE(T)                                                                              \
  extern template ContractionPlan plan_contractions<T>(const FactorBlock<T>&, const RowLayout&,       \
                                                       const std::vector<int>&, const std::vector<Index>&,             \
                                                       const SampleCounts&, std::optional<Order>);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::factors
