#pragma once
#include <memory>
#include <optional>
#include <vector>

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
};

/// What one use of a parameter adds to the Jacobian of a block of samples (docs/math.md, equation 6).
template <class T>
struct Term {
  Place place;  ///< for `outer` of shape (C, K)
  Form form = Form::vector;
  std::shared_ptr<const Tensor<T>> left;   ///< [n, R, size] or [n, R, D, C]
  std::shared_ptr<const Tensor<T>> right;  ///< [n, D, K]; null for `vector`
  Index positions = 1;                     ///< D
};

/// The Jacobian of a block of samples as a sum of terms: R directions (outputs, or rows of a basis) for each sample.
template <class T>
struct FactorBlock {
  Index samples = 0;
  Index directions = 0;
  std::vector<Term<T>> terms;
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
  /// An upper estimate of the memory that make() needs for one sample, factors included.
  virtual std::size_t bytes_per_sample() const = 0;
};

/// Adds the terms of `parameter` to J: [n, R, size], explicit rows in the parameter's own order.
template <class T>
void add_dense(const FactorBlock<T>& block, ParameterId parameter, T* jacobian, Index size);

/// Adds the terms of `parameter`, summed over all samples and directions, to `gradient` in the parameter's own order.
template <class T>
void add_summed(const FactorBlock<T>& block, ParameterId parameter, T* gradient);

extern template void add_summed<float>(const FactorBlock<float>&, ParameterId, float*);
extern template void add_summed<double>(const FactorBlock<double>&, ParameterId, double*);
extern template void add_dense<float>(const FactorBlock<float>&, ParameterId, float*, Index);
extern template void add_dense<double>(const FactorBlock<double>&, ParameterId, double*, Index);

}  // namespace tangra::factors
