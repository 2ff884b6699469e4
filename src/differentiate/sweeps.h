#pragma once
#include <map>
#include <span>
#include <vector>

#include "tangra/base/tensor_cache.h"
#include "tangra/differentiate/program.h"

namespace tangra::differentiate {

/// The values of a block of samples after the forward pass.
template <class T>
class Activations {
 public:
  Activations(Index samples, std::size_t values) : samples_(samples), values_(values) {}
  Index samples() const { return samples_; }
  /// [n, shape] of a value that depends on the sample.
  const Tensor<T>& operator[](ValueId value) const { return *values_[static_cast<std::size_t>(value)]; }
  const std::shared_ptr<const Tensor<T>>& shared(ValueId value) const { return values_[static_cast<std::size_t>(value)]; }
  void set(ValueId value, Tensor<T> entries) {
    values_[static_cast<std::size_t>(value)] = share_and_give_back(std::move(entries));
  }
  bool has(ValueId value) const { return values_[static_cast<std::size_t>(value)] != nullptr; }
  /// The same values in another scalar type.
  template <class U>
  Activations<U> converted() const;

 private:
  Index samples_;
  std::vector<std::shared_ptr<const Tensor<T>>> values_;
};

/// Evaluates the network on a block. inputs[k]: [n, shape of input k]. `sides`, where given, decides on which side of
/// every kink an entry lies (ops::Call::sides).
template <class T>
Activations<T> forward(const Program<T>& program, std::vector<Tensor<T>> inputs, const Context& context,
                       const Activations<T>* sides = nullptr);

/// Throws Error(numerics), naming the sample (counted from `first`), where an entry of `value` is infinite or NaN: there
/// the network leaves its domain or overflows, and its derivatives say nothing.
template <class T>
void require_finite(const Program<T>& program, const Activations<T>& activations, ValueId value, Index first);

/// What a reverse sweep is asked for.
struct ReverseTargets {
  ValueId of = no_id;           ///< the value that is differentiated
  bool parameters = true;       ///< by all trainable parameters, as terms
  std::vector<ValueId> values;  ///< by these values (inputs and hidden ones), which depend on the sample
  /// Takes no shortcut: every use of a parameter, straight or through other batch-free values, is pulled back by
  /// Op::pullback. The terms are then one for each parameter, its explicit rows in its own order.
  bool explicit_parameters = false;
  /// Of the parameters only these; null: all.
  const factors::Wanted* wanted = nullptr;
};

template <class T>
struct ReverseResult {
  factors::FactorBlock<T> parameters;
  /// In the order of ReverseTargets::values: [n, R, shape]; null where `of` does not depend on the value.
  std::vector<std::shared_ptr<const Tensor<T>>> values;
};

/// Pulls R cotangents of `of` for each sample back: seeds [n, R, shape of `of`]. Terms go to the sink, where there is one, as
/// soon as they are there, in place of the result.
template <class T>
ReverseResult<T> reverse(const Program<T>& program, const Activations<T>& activations, const ReverseTargets& targets,
                         Tensor<T> seeds, const Context& context, const Activations<T>* sides = nullptr,
                         const factors::TermSink<T>* sink = nullptr);

/// Pushes R tangents forward to `of`: [n, R, shape of `of`]. tangents: by value; [n, R, shape] for values that depend on
/// the sample, [R, shape] with stride 0 for parameters.
template <class T>
Tensor<T> push_forward(const Program<T>& program, const Activations<T>& activations, Index directions,
                       const std::map<ValueId, ops::Operand<T>>& tangents, ValueId of, const Context& context);

/// What a node chose at every entry of its result (ops::Op::choices), [n, output]; of one sample where the node is
/// batch-free.
template <class T>
std::vector<ops::Choice> choices_of(const Program<T>& program, const Activations<T>& activations, NodeId node,
                                    const Context& context);

/// How many entries of the activations lie so close to a kink that `errors` (by value, the largest error of an
/// entry) may carry them across it, and how many maxima may go to another entry. Exact ties are not counted: they
/// are those of units that are switched off, as the zeros behind a relu.
template <class T>
Index count_near_kinks(const Program<T>& program, const Activations<T>& activations,
                       const std::vector<double>& errors, const Context& context);

#define TANGRA_DECLARE(T)                                                                                             \
  extern template Activations<T> forward<T>(const Program<T>&, std::vector<Tensor<T>>, const Context&,               \
                                            const Activations<T>*);                                                  \
  extern template void require_finite<T>(const Program<T>&, const Activations<T>&, ValueId, Index);                  \
  extern template ReverseResult<T> reverse<T>(const Program<T>&, const Activations<T>&, const ReverseTargets&,       \
                                              Tensor<T>, const Context&, const Activations<T>*,                      \
                                              const factors::TermSink<T>*);                                          \
  extern template Tensor<T> push_forward<T>(const Program<T>&, const Activations<T>&, Index,                         \
                                            const std::map<ValueId, ops::Operand<T>>&, ValueId, const Context&);     \
  extern template std::vector<ops::Choice> choices_of<T>(const Program<T>&, const Activations<T>&, NodeId,   \
                                                         const Context&);                                    \
  extern template Index count_near_kinks<T>(const Program<T>&, const Activations<T>&,                        \
                                            const std::vector<double>&, const Context&);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

template <class T>
template <class U>
Activations<U> Activations<T>::converted() const {
  Activations<U> result(samples_, values_.size());
  for (std::size_t id = 0; id < values_.size(); ++id) {
    if (values_[id] == nullptr) continue;
    auto copy = Tensor<U>::uninitialized(values_[id]->shape());
    for (Index e = 0; e < copy.size(); ++e) copy[e] = static_cast<U>((*values_[id])[e]);
    result.set(static_cast<ValueId>(id), std::move(copy));
  }
  return result;
}

}  // namespace tangra::differentiate
