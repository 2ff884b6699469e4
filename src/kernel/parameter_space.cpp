// The kernel in the space of the parameters.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/kernel/assembly.h"
#include "tangra/kernel/not_finite.h"
#include "tangra/linalg/gemm.h"

namespace tangra::kernel {

using factors::FactorBlock;
using factors::FactorSource;

namespace {

/// A trainable parameter's entries among those that count, in the order of the result.
struct Slice {
  ParameterId parameter;
  Index size = 0;              ///< of the parameter
  std::vector<Index> entries;  ///< of it
};

template <class T>
std::vector<Slice> slices_of(const Assembly<T>& assembly, const std::vector<Index>* chosen) {
  std::vector<Slice> slices;
  Index first = 0;
  auto next = chosen == nullptr ? std::vector<Index>::const_iterator() : chosen->begin();
  for (std::size_t p = 0; p < assembly.sizes.size(); ++p) {
    if (assembly.parts.part_of[p] < 0) continue;
    Slice slice{.parameter = static_cast<ParameterId>(p), .size = assembly.sizes[p], .entries = {}};
    if (chosen == nullptr) {
      slice.entries.resize(static_cast<std::size_t>(slice.size));
      std::iota(slice.entries.begin(), slice.entries.end(), Index{0});
    } else {
      for (; next != chosen->end() && *next < first + slice.size; ++next) slice.entries.push_back(*next - first);
    }
    first += slice.size;
    if (!slice.entries.empty()) slices.push_back(std::move(slice));
  }
  return slices;
}

/// jacobian [rows, count] of a block; `own` has room for the rows of any one parameter.
template <class T>
void explicit_rows(const FactorBlock<T>& block, const std::vector<Slice>& slices, const Context& context, Tensor<T>& own,
                   MatrixView<T> jacobian) {
  Index first = 0;
  for (const Slice& slice : slices) {
    std::fill_n(own.data(), jacobian.rows * slice.size, T(0));
    factors::add_dense(block, slice.parameter, own.data(), slice.size, context);
    for (Index r = 0; r < jacobian.rows; ++r) {
      T* to = &jacobian(r, first);
      for (const Index entry : slice.entries) *to++ = own[r * slice.size + entry];
    }
    first += static_cast<Index>(slice.entries.size());
  }
}

constexpr Index block_samples = 64;
constexpr Index strip = 256;

struct Counts {
  Index entries = 0;
  Index largest = 0;  ///< parameter
};

Counts counts_of(const std::vector<Slice>& slices) {
  Counts counts;
  for (const Slice& slice : slices) {
    counts.entries += static_cast<Index>(slice.entries.size());
    counts.largest = std::max(counts.largest, slice.size);
  }
  return counts;
}

std::size_t square_bytes(Index count, std::size_t entry) { return static_cast<std::size_t>(count) * static_cast<std::size_t>(count) * entry; }

/// Of a block: all explicit rows, those of one parameter, and what a sweep works in.
template <class T>
std::size_t block_bytes(const FactorSource<T>& source, const Counts& counts, Index samples) {
  const auto row_bytes = static_cast<std::size_t>((counts.entries + counts.largest) * source.directions()) * sizeof(T);
  const Index at_once = std::min(block_samples, samples);
  return static_cast<std::size_t>(at_once) * (row_bytes + source.bytes_per_sample()) +
         linalg::gemm_scratch_bytes(at_once * source.directions() * counts.entries, sizeof(T)) +
         static_cast<std::size_t>(2 * strip * counts.entries) * sizeof(T);  // a strip is turned, and added
}

}  // namespace

template <class T>
std::size_t parameter_space_memory(const Assembly<T>& assembly, Index samples) {
  const Counts counts = counts_of(slices_of(assembly, nullptr));
  return square_bytes(counts.entries, sizeof(T)) + block_bytes(*assembly.rows, counts, samples);
}

template <class T>
Tensor<T> assemble_parameter_space(const Assembly<T>& assembly, const Context& context, const std::vector<Index>* chosen) {
  TANGRA_ENSURE(assembly.layout.planes == 1 && assembly.layout.inner == 1);
  const std::vector<Slice> slices = slices_of(assembly, chosen);
  const Counts counts = counts_of(slices);
  const Index count = counts.entries;
  const FactorSource<T>& source = *assembly.rows;
  const Reservation kernel(context.memory, square_bytes(count, sizeof(T)), "the kernel in parameter space, P x P with P = " + std::to_string(count));
  Tensor<T> result(Shape{count, count});
  const Reservation rows_memory(context.memory, block_bytes(source, counts, source.samples()), "explicit rows of a block of samples");
  // Made once: where memory that is large and memory that is small come and go block by block, the heap grows between them.
  const Index most_rows = std::min(block_samples, source.samples()) * source.directions();
  Tensor<T> jacobian = Tensor<T>::uninitialized(Shape{most_rows, count});
  Tensor<T> own = Tensor<T>::uninitialized(Shape{most_rows, counts.largest});
  for (Index begin = 0; begin < source.samples(); begin += block_samples) {
    context.check_cancelled();
    context.report("contracting", static_cast<double>(begin), static_cast<double>(source.samples()));
    const FactorBlock<T> block = source.make(begin, std::min(source.samples(), begin + block_samples));
    const Index rows = block.samples * block.directions;
    explicit_rows(block, slices, context, own, matrix(jacobian.data(), rows, count));
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

template std::size_t parameter_space_memory<float>(const Assembly<float>&, Index);
template std::size_t parameter_space_memory<double>(const Assembly<double>&, Index);
template Tensor<float> assemble_parameter_space<float>(const Assembly<float>&, const Context&, const std::vector<Index>*);
template Tensor<double> assemble_parameter_space<double>(const Assembly<double>&, const Context&, const std::vector<Index>*);

}  // namespace tangra::kernel
