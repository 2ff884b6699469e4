#pragma once
#include "tangra/differentiate/basis.h"
#include "tangra/differentiate/sweeps.h"

namespace tangra::differentiate {

/// The Jacobian of a network's output by its parameters, as factors: forward and reverse sweeps over a data set.
template <class T>
class NetworkFactors final : public factors::FactorSource<T> {
 public:
  /// inputs: [N, shape of the input], kept by reference. `of` is the value that is differentiated.
  NetworkFactors(const Program<T>& program, const Tensor<T>& inputs, ValueId of, Basis basis, const Context& context);

  Index samples() const override { return inputs_.shape()[0]; }
  Index directions() const override { return basis_.rows(); }
  factors::FactorBlock<T> make(Index begin, Index end) const override;
  void sweep(Index begin, Index end, const factors::TermSink<T>& take,
             const factors::Wanted* wanted = nullptr) const override;
  factors::SweepWork work_per_sample() const override;
  Index samples_at_once() const override;
  std::size_t bytes_per_sample() const override;

  /// As make(), on the sides of the kinks that `sides` says (see ops::Call::sides).
  factors::FactorBlock<T> make_on_sides(Index begin, Index end, const Activations<T>& sides) const;
  /// The forward pass alone.
  Activations<T> activations(Index begin, Index end, const Activations<T>* sides = nullptr) const;

 private:
  factors::FactorBlock<T> factors_of(Index begin, const Activations<T>& activations, const Activations<T>* sides,
                                     const factors::TermSink<T>* sink = nullptr,
                                     const factors::Wanted* wanted = nullptr) const;

  const Program<T>& program_;
  const Tensor<T>& inputs_;
  ValueId of_;
  Basis basis_;
  Context context_;
};

/// The factors of two sets of samples, one behind the other, where they are so few that one sweep takes them all: it reads
/// the parameters once.
template <class T>
class FactorsOfBoth {
 public:
  /// As NetworkFactors; the inputs are copied.
  FactorsOfBoth(const Program<T>& program, const Tensor<T>& rows, const Tensor<T>& columns, ValueId of, const Basis& basis,
                const Context& context);
  /// Null where the samples are too many, or have bases of their own.
  const factors::FactorSource<T>* get() const { return factors_ ? &*factors_ : nullptr; }

 private:
  Tensor<T> inputs_;
  std::optional<NetworkFactors<T>> factors_;
};

/// The Gram matrix of a layer's activations as a kernel: one term, the activations themselves, one direction.
template <class T>
class ActivationFactors final : public factors::FactorSource<T> {
 public:
  ActivationFactors(const Program<T>& program, const Tensor<T>& inputs, ValueId value, const Context& context);

  Index samples() const override { return inputs_.shape()[0]; }
  Index directions() const override { return 1; }
  factors::FactorBlock<T> make(Index begin, Index end) const override;
  std::size_t bytes_per_sample() const override;

  /// As make(), on the sides of the kinks that `sides` says (see ops::Call::sides).
  factors::FactorBlock<T> make_on_sides(Index begin, Index end, const Activations<T>& sides) const;
  /// All values of the network.
  Activations<T> activations(Index begin, Index end) const;

 private:
  factors::FactorBlock<T> factors_of(Index begin, const Activations<T>& activations) const;

  const Program<T>& program_;
  const Tensor<T>& inputs_;
  ValueId value_;
  Context context_;
};

/// Rows [begin, end) of inputs [N, ..].
template <class T>
Tensor<T> rows_of(const Tensor<T>& inputs, Index begin, Index end);

extern template class NetworkFactors<float>;
extern template class NetworkFactors<double>;
extern template class FactorsOfBoth<float>;
extern template class FactorsOfBoth<double>;
extern template class ActivationFactors<float>;
extern template class ActivationFactors<double>;
extern template Tensor<float> rows_of<float>(const Tensor<float>&, Index, Index);
extern template Tensor<double> rows_of<double>(const Tensor<double>&, Index, Index);

}  // namespace tangra::differentiate
