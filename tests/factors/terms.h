#pragma once
#include <string>
#include <vector>

#include "tangra/factors/contraction.h"

namespace tangra::test {

/// Ways in which a parameter of shape (6, 4) can be used.
enum class Use { vector, dense, tokenwise, convolution, grouped, depthwise, table };
inline constexpr Use all_uses[] = {Use::vector,  Use::dense,     Use::tokenwise, Use::convolution,
                                   Use::grouped, Use::depthwise, Use::table};
std::string name_of(Use use);

/// The parameter's entries in their own order, or those of its transpose (4, 6).
factors::Place whole_place(bool transposed = false);

/// A random term for `samples` samples with `directions` directions. Convolutions know their pixels.
template <class T>
factors::Term<T> random_term(Use use, factors::Place place, Index samples, Index directions, unsigned seed);

/// Samples [begin, end) of a term, or of a block.
template <class T>
factors::Term<T> rows_of(const factors::Term<T>& term, Index samples, Index begin, Index end);
template <class T>
factors::FactorBlock<T> rows_of(const factors::FactorBlock<T>& block, Index begin, Index end);

/// The Jacobian by a parameter of `size` entries, by the definition of each form and plain loops: [n * R, size]. With
/// `absolute` of the factors' absolute values.
template <class T>
std::vector<double> naive_jacobian(const factors::FactorBlock<T>& block, ParameterId parameter, Index size, bool absolute);

}  // namespace tangra::test
