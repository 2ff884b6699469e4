// The kernel in the space of the parameters.
#include <algorithm>
#include <cmath>

#include "tangra/base/error.h"
#include "tangra/kernel/assembly.h"
#include "tangra/kernel/not_finite.h"
#include "tangra/linalg/gemm.h"

namespace tangra::kernel {

using factors::FactorBlock;
using factors::FactorSource;

template <class T>
Tensor<T> assemble_parameter_space(const Assembly<T>& assembly, const Context& context) {
  TANGRA_ENSURE(assembly.layout.planes == 1 && assembly.layout.inner == 1);
  std::vector<Index> first(assembly.sizes.size(), -1);
  Index count = 0;
  for (std::size_t p = 0; p < first.size(); ++p) {
    if (assembly.parts.part_of[p] < 0) continue;
    first[p] = count;
    count += assembly.sizes[p];
  }
  const FactorSource<T>& source = *assembly.rows;
  const auto square = static_cast<std::size_t>(count) * static_cast<std::size_t>(count) * sizeof(T);
  const Reservation kernel(context.memory, square, "the kernel in parameter space, P x P with P = " + std::to_string(count));
  Tensor<T> result(Shape{count, count});
  constexpr Index block_samples = 64;
  constexpr Index strip = 256;
  // Of a block: all explicit rows, those of one parameter, and what a sweep works in.
  const Index largest = assembly.sizes.empty() ? 0 : *std::ranges::max_element(assembly.sizes);
  const auto row_bytes = static_cast<std::size_t>((count + largest) * source.directions()) * sizeof(T);
  const auto at_once = static_cast<std::size_t>(std::min(block_samples, source.samples()));
  const Reservation rows_memory(context.memory, at_once * (row_bytes + source.bytes_per_sample()), "explicit rows of a block of samples");
  for (Index begin = 0; begin < source.samples(); begin += block_samples) {
    context.check_cancelled();
    context.report("contracting", static_cast<double>(begin), static_cast<double>(source.samples()));
    const FactorBlock<T> block = source.make(begin, std::min(source.samples(), begin + block_samples));
    const Index rows = block.samples * block.directions;
    Tensor<T> jacobian(Shape{rows, count});
    for (std::size_t p = 0; p < first.size(); ++p) {
      if (first[p] < 0) continue;
      Tensor<T> own(Shape{rows, assembly.sizes[p]});
      factors::add_dense(block, static_cast<ParameterId>(p), own.data(), assembly.sizes[p], context);
      for (Index r = 0; r < rows; ++r) {
        std::copy_n(own.data() + r * assembly.sizes[p], assembly.sizes[p], jacobian.data() + r * count + first[p]);
      }
    }
    const MatrixView<const T> j = matrix<const T>(jacobian.data(), rows, count);
    for (Index p = 0; p < count; p += strip) {  // the lower triangle, strip by strip
      const Index height = std::min(strip, count - p);
      linalg::gemm<T>(context, linalg::Engine::fast, j.block(0, p, rows, height).transposed(), j.block(0, 0, rows, p + height),
                      true, {result.data() + p * count, height, p + height, count, 1});
    }
  }
  for (Index p = 0; p < count; ++p) {
    for (Index q = 0; q <= p; ++q) {
      if (!std::isfinite(result[p * count + q])) not_finite(p, q);
      result[q * count + p] = result[p * count + q];
    }
  }
  return result;
}

template Tensor<float> assemble_parameter_space<float>(const Assembly<float>&, const Context&);
template Tensor<double> assemble_parameter_space<double>(const Assembly<double>&, const Context&);

}  // namespace tangra::kernel
