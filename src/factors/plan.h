#pragma once
#include <string>
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
  both_grams,     ///< (d): Gram matrices of both factors, multiplied entry by entry
  explicit_rows,  ///< (a): the explicit Jacobian of the parameter, then its Gram matrix
};

/// One factor pair: position `position` of term `term`.
struct Stream {
  int term = 0;
  Index position = 0;
};

/// What is done with the terms of one parameter, or with those of one region of it.
struct Contraction {
  ParameterId parameter = no_id;
  int part = 0;
  Order order = Order::both_grams;
  std::vector<Stream> streams;  ///< both_grams: all of the same entries; every pair of them is one product
  std::vector<int> terms;       ///< the terms that are covered
  bool one_region = true;       ///< all terms speak of the same entries; explicit rows are over these alone
  Index row_entries = 0;        ///< of an explicit row
  /// A bias whose factor is the same cotangent rides along: B B'^T o (X X'^T + constant).
  int bias_term = -1;
  double constant = 0;
  double multiply_adds = 0;  ///< for one pair of samples
  std::string reason;
};

struct ContractionPlan {
  RowLayout layout;
  std::vector<Contraction> contractions;
  double multiply_adds() const;
  /// At least half of the multiply-adds are those of explicit rows.
  bool mostly_explicit() const;
};

/// Chooses the order for every parameter from shapes alone. `sample` is any block of the source (one sample suffices);
/// part_of[p] is the part of the result that parameter p adds to (-1: to none); sizes[p] its number of entries.
/// With `only_explicit` every parameter gets explicit rows, whatever it costs.
template <class T>
ContractionPlan plan_contractions(const FactorBlock<T>& sample, const RowLayout& layout, const std::vector<int>& part_of,
                                  const std::vector<Index>& sizes, bool only_explicit = false);

#define TANGRA_DECLARE(T)                                                                              \
  extern template ContractionPlan plan_contractions<T>(const FactorBlock<T>&, const RowLayout&,       \
                                                       const std::vector<int>&, const std::vector<Index>&, bool);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::factors
