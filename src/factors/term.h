#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"
#include "tangra/model/graph.h"

namespace tangra::factors {

/// Which entries of a parameter a term speaks of, and by how much: entry (i1, .., im) of the term belongs to entry
/// offset + i1 * strides[0] + .. of the parameter and counts `scale` times. Made of transposes, slices and constant
/// factors between the parameter and its use.
struct Place {
  ParameterId parameter = no_id;
  Index offset = 0;
  Shape shape;
  std::vector<Index> strides;
  double scale = 1;

  /// Both speak of the same entries in the same order (scales may differ).
  bool same_entries(const Place& other) const {
    return parameter == other.parameter && offset == other.offset && shape == other.shape && strides == other.strides;
  }
  /// This place as a matrix: the axes behind the first merged into one. Nothing where no one stride describes them.
  std::optional<Place> as_matrix() const;
  /// The parameter's entry for each entry of the term, in row-major order.
  std::vector<Index> entries() const;
};

enum class Form {
  vector,  ///< J[(i,a), e] = left[i,a,e]
  outer,   ///< J[(i,a), (c,k)] = sum_d left[i,a,d,c] right[i,d,k]
  gather,  ///< J[(i,a), (v,e)] = sum_d left[i,a,d,e] [right[i,d] = v]: rows of a table, by tokens
};

/// Where the fan-in of a convolution is read: entry (channel, tap) at position d is pixel taps[tap * D + d] of that channel,
/// or 0 where that is negative.
struct PixelMap {
  Index pixels = 0;  ///< of a channel
  Index positions = 0;
  std::vector<Index> taps;
  Index tap_count() const { return positions == 0 ? 0 : static_cast<Index>(taps.size()) / positions; }
};

/// What one use of a parameter adds to the Jacobian of a block of samples (docs/math.md, equation 6).
template <class T>
struct Term {
  Place place;  ///< for `outer` of shape (C, K), for `gather` (V, E)
  Form form = Form::vector;
  std::shared_ptr<const Tensor<T>> left;   ///< [n, R, size]; for `outer` [n, R, D, C] or [n, R, C, D]; [n, R, D, E]
  std::shared_ptr<const Tensor<T>> right;  ///< null; for `outer` [n, D, G K] or [n, G K, D]; tokens [n, D]
  Index positions = 1;                     ///< D
  Index groups = 1;                        ///< G: of C channels in order, each group meets K entries of its own
  bool left_by_channel = false;            ///< left is [n, R, C, D], as the maps of a convolution lie
  bool right_by_channel = false;           ///< right is [n, G K, D]
  std::shared_ptr<const Tensor<T>> pixels;    ///< [n, K / taps, pixels], where right is made of patches of it; or null
  std::shared_ptr<const PixelMap> pixel_map;

  /// The left factor of row i R + a, [D, C] or [D, E], and the right one of sample i, [D, G K].
  MatrixView<const T> left_of(Index row) const {
    return factor(left->data(), row, place.shape[form == Form::gather ? 1 : 0], left_by_channel);
  }
  MatrixView<const T> right_of(Index sample) const {
    return factor(right->data(), sample, groups * place.shape[1], right_by_channel);
  }
  /// Of a `gather` term: the rows of the table that sample i reads, [D].
  const T* tokens_of(Index sample) const { return right->data() + sample * positions; }

 private:
  MatrixView<const T> factor(const T* data, Index row, Index width, bool by_channel) const {
    const T* own = data + row * positions * width;
    if (by_channel) return {own, positions, width, 1, positions};
    return {own, positions, width, width, 1};
  }
};

/// The Jacobian of a block of samples as a sum of terms: R directions (outputs, or rows of a basis) for each sample.
template <class T>
struct FactorBlock {
  Index samples = 0;
  Index directions = 0;
  std::vector<Term<T>> terms;
};

/// Is handed the terms of a block one after another.
template <class T>
using TermSink = std::function<void(Term<T> term)>;

/// By parameter: whose terms are asked for. Null: those of all.
using Wanted = std::vector<bool>;

/// What a step takes, as far as it can be told beforehand.
struct Work {
  double multiply_adds = 0;
  double bytes = 0;  ///< read and written
};

/// What a sweep takes for one sample; terms and what is made of them are not counted.
struct SweepWork {
  Work forward;
  Work reverse;
};

/// Makes the factors of any range of a set of samples. The terms' places and forms are the same for every range.
template <class T>
class FactorSource {
 public:
  virtual ~FactorSource() = default;
  virtual Index samples() const = 0;
  virtual Index directions() const = 0;
  /// The factors of the samples [begin, end). May be called from several threads at once.
  virtual FactorBlock<T> make(Index begin, Index end) const = 0;
  /// The same terms in the same order, each handed over as soon as it is there: what is not kept is gone before the next.
  /// Terms of parameters that are not wanted may be left out, and whatever is done for them alone.
  virtual void sweep(Index begin, Index end, const TermSink<T>& take, [[maybe_unused]] const Wanted* wanted = nullptr) const {
    for (Term<T>& term : make(begin, end).terms) take(std::move(term));
  }
  virtual SweepWork work_per_sample() const { return {}; }
  /// How many samples one sweep should take, so that what it works on stays in the caches.
  virtual Index samples_at_once() const { return samples(); }
  /// An upper estimate of the memory that make() needs for one sample, factors included.
  virtual std::size_t bytes_per_sample() const = 0;
};

/// Where the explicit rows of a term go: entry (i1, .., im) of the term, times scale, to entry
/// place.offset + i1 * place.strides[0] + .. of a row with `size` entries. Of the first axis only [first, last).
struct RowTarget {
  Place place;
  Index size = 0;
  Index first = 0;
  Index last = 0;
  double scale = 1;

  /// In the parameter's own order.
  static RowTarget of_parameter(const Place& place, Index size);
  /// Entries [first, last) of the first axis alone, row-major.
  static RowTarget of_region(const Place& place, Index first, Index last);
  /// The entries are all of a row, in order.
  bool is_whole() const;
};

/// Explicit rows of one term: rows [n, R, size] (+)= its Jacobian at the target.
template <class T>
void add_rows(const Term<T>& term, Index samples, Index directions, const RowTarget& target, bool accumulate, T* rows,
              const Context& context);

/// Adds the terms of `parameter` to J: [n, R, size], explicit rows in the parameter's own order.
template <class T>
void add_dense(const FactorBlock<T>& block, ParameterId parameter, T* jacobian, Index size, const Context& context);

/// Adds the terms of `parameter`, summed over all samples and directions, to `gradient` in the parameter's own order.
template <class T>
void add_summed(const FactorBlock<T>& block, ParameterId parameter, T* gradient, const Context& context);

#define TANGRA_DECLARE(T)                                                                                            \
  extern template void add_rows<T>(const Term<T>&, Index, Index, const RowTarget&, bool, T*, const Context&);        \
  extern template void add_dense<T>(const FactorBlock<T>&, ParameterId, T*, Index, const Context&);                 \
  extern template void add_summed<T>(const FactorBlock<T>&, ParameterId, T*, const Context&);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::factors
