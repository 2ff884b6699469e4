#pragma once
#include "tangra/base/context.h"
#include "tangra/base/tensor.h"

namespace tangra::linalg {

/// How a product is computed: `fast` is the packed kernel, `reference` plain loops that share no code.
enum class Engine { fast, reference };

/// C = (accumulate ? C : 0) + A B.
///
/// A: [m, k] and B: [k, n] with any strides (transposed, 0 for a repeated row); C: [m, n] with column_stride
/// 1, sharing no memory with A and B. m, n and k may be 0; without summands C becomes 0, or stays as it is
/// where it accumulates.
///
/// The fast engine makes every entry one chain of fused multiply-adds in ascending k,
///     entry = accumulate ? C[i,j] : 0;  for k = 0, 1, ...:  entry = fma(A[i,k], B[k,j], entry),
/// so its bits depend on the operands alone: not on the size of the product, the place of the entry, the
/// number of threads or the processor. (A NaN stays one, its payload is not promised.) The reference engine
/// rounds twice per step, entry += A[i,k] * B[k,j], in the same order; the two differ by at most
/// 2 (k + 2) eps (|C[i,j]| + sum_k |A[i,k] B[k,j]|), eps the unit roundoff, to first order.
///
/// Large products run on the pool; called from one of its tasks, they run on that worker alone.
template <class T>
void gemm(const Context& context, Engine engine, MatrixView<const T> a, MatrixView<const T> b,
          bool accumulate, MatrixView<T> c);

/// Bytes that a thread keeps of a product whose right factor has so many entries, for the next one.
std::size_t gemm_scratch_bytes(Index right, std::size_t entry);

extern template void gemm<float>(const Context&, Engine, MatrixView<const float>, MatrixView<const float>,
                                 bool, MatrixView<float>);
extern template void gemm<double>(const Context&, Engine, MatrixView<const double>, MatrixView<const double>,
                                  bool, MatrixView<double>);

}  // namespace tangra::linalg
