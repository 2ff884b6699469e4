#pragma once
#include <functional>
#include <span>
#include <vector>

#include "tangra/base/tensor.h"

namespace tangra::differentiate {

/// The cotangents that a reverse sweep starts from: R rows over the O outputs, the same for every sample or made for
/// each one from its outputs (loss gradients, margins, Fisher factors).
class Basis {
 public:
  /// C_i: [R, O], all entries 0 on entry; `sample` is the global index, `outputs` are f(x_i).
  using Fill = std::function<void(Index sample, std::span<const double> outputs, std::span<double> rows)>;

  /// Every output by itself: R = O.
  static Basis identity(Index outputs);
  /// Row r is the sum of the unit vectors of the outputs members[r].
  static Basis sums(Index outputs, std::vector<std::vector<Index>> members);
  /// C: [R, O] for all samples, or [N, R, O], one matrix a sample. Throws Error(input) for another rank or width.
  static Basis matrix(Tensor<double> rows, Index outputs);
  static Basis computed(Index outputs, Index rows, Fill fill);

  /// Rows of which row r is the sum of this basis' rows members[r].
  Basis combined(std::vector<std::vector<Index>> members) const;

  Index rows() const { return rows_; }
  Index outputs() const { return outputs_; }
  /// Whether every sample has the same rows.
  bool is_constant() const { return constant_; }
  /// Rows for the samples from `first` on: seeds [n, R, O], outputs [n, O].
  template <class T>
  Tensor<T> seeds(Index first, const Tensor<T>& outputs) const;

 private:
  Basis(Index outputs, Index rows, bool constant, Fill fill)
      : outputs_(outputs), rows_(rows), constant_(constant), fill_(std::move(fill)) {}

  Index outputs_ = 0;
  Index rows_ = 0;
  bool constant_ = false;
  Fill fill_;
};

extern template Tensor<float> Basis::seeds<float>(Index, const Tensor<float>&) const;
extern template Tensor<double> Basis::seeds<double>(Index, const Tensor<double>&) const;

}  // namespace tangra::differentiate
