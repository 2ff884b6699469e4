#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tangra/factors/contraction.h"
#include "tangra/kernel/tile_store.h"

namespace tangra::kernel {

/// How the parameters are divided among the parts of a result. With more than one part, or asked for, the total is the
/// last part: the sum of the others in their order.
struct Parts {
  std::vector<std::string> names;    ///< of the parts, without the total
  std::vector<int> part_of;          ///< by parameter; -1 for a frozen one
  bool with_total = false;           ///< the total stands behind the parts
  int count() const { return static_cast<int>(names.size()) + (with_total ? 1 : 0); }
};

enum class PartsBy { total, layer, parameter };
Parts divide(const Graph& graph, PartsBy by);

/// A kernel between two sets of samples, or of one with itself.
template <class T>
struct Assembly {
  const factors::FactorSource<T>* rows = nullptr;
  const factors::FactorSource<T>* columns = nullptr;  ///< null: the rows, and K is exactly symmetric
  const factors::FactorSource<T>* both = nullptr;     ///< null, or the samples of the rows and then those of the columns
  factors::RowLayout layout;
  Parts parts;
  std::vector<Index> sizes;  ///< entries of each parameter
  double divisor = 1;
  Index block_samples = 0;  ///< samples in a tile's side; 0: chosen from shapes
  bool fixed_block = false;  ///< block_samples may not be lessened to hold the memory budget
  std::optional<factors::Order> order = std::nullopt;  ///< taken wherever it applies, whatever it costs; explicit rows always do
  /// The samples that orders are chosen for; none: those of the sources. For a check on a few of many.
  std::optional<factors::SampleCounts> counts = std::nullopt;
};

/// What an assembly did.
struct AssemblyReport {
  factors::ContractionPlan plan;
  Index block_samples = 0;
  Index groups = 1;              ///< more than one: factors are made anew, as they do not fit together
  Index passes = 1;              ///< more than one: each over some of the parameters, whose factors alone fit together
  bool one_sweep = false;        ///< rows and columns were swept together
  double factor_seconds = 0;     ///< sweeps and packing
  double contract_seconds = 0;   ///< tiles and their writing
  std::size_t factor_bytes = 0;  ///< of the packed factors that are held at once, and of the memory to work in; 0 without a budget
  Index tiles = 0;               ///< of all parts and planes at one place counted once
  Index tiles_found = 0;         ///< of them, what an earlier run had left in the store
};

/// What a kernel takes beforehand told, step by step: multiply-adds, and bytes read and written. From shapes alone.
struct PredictedWork {
  factors::Work forward;
  factors::Work reverse;      ///< to what the parameters' uses need
  factors::Work packing;      ///< explicit rows and factors, made and laid out
  factors::Work contraction;  ///< tiles
};

/// Of an assembly that does what its report says: all sweeps of its groups counted, those of passes in full.
template <class T>
PredictedWork predicted_work(const Assembly<T>& assembly, const AssemblyReport& report);

/// Computes every tile of every part that the store does not have yet and writes it there (both triangles where symmetric
/// and the store takes them; the upper one mirrored). Bits do not depend on the block size, the grouping, the threads or
/// on what was there already. Throws Error(numerics) for an entry that is not finite, Error(memory) where not even two
/// blocks of factors fit. Calls store.begin(), not store.finish().
template <class T>
AssemblyReport assemble(const Assembly<T>& assembly, TileStore<T>& store, const Context& context);

/// What assemble() would do, found from one sample: no sweep, no tile. Throws Error(memory) as it would.
template <class T>
AssemblyReport plan_assembly(const Assembly<T>& assembly, const Context& context);

/// What an assembly takes beside what is held, in bytes.
struct LeastMemory {
  std::size_t bytes = 0;   ///< with fewer free, assemble() throws Error(memory)
  std::size_t better = 0;  ///< what it takes to sweep over blocks of the usual size
};
/// Of assemble(), from shapes. The samples are those of assembly.counts where these are given.
template <class T>
LeastMemory least_memory(const Assembly<T>& assembly, const Context& context);
/// Of assemble_self(), for so many samples.
template <class T>
LeastMemory least_self_memory(const Assembly<T>& assembly, Index samples, const Context& context);
/// Of assemble_parameter_space(), the kernel included.
template <class T>
std::size_t parameter_space_memory(const Assembly<T>& assembly, Index samples);

/// Pairs of a sample with itself: result[part] has [n, planes, full, full].
template <class T>
AssemblyReport assemble_self(const Assembly<T>& assembly, std::vector<Tensor<T>>& result, const Context& context);

/// R^T R over all trainable parameters in their order: [P, P], exactly symmetric, with layout.planes = 1. chosen: only these
/// of the P rows and columns, ascending; every entry has the bits that it has among all.
template <class T>
Tensor<T> assemble_parameter_space(const Assembly<T>& assembly, const Context& context,
                                   const std::vector<Index>* chosen = nullptr);

/// The block of samples that a tile's side has by default, where there are `samples` in all.
Index default_block_samples(const factors::RowLayout& layout, Index samples);

#define TANGRA_DECLARE(T)                                                                                        \
  extern template AssemblyReport assemble<T>(const Assembly<T>&, TileStore<T>&, const Context&);                \
  extern template AssemblyReport plan_assembly<T>(const Assembly<T>&, const Context&);                          \
  extern template LeastMemory least_memory<T>(const Assembly<T>&, const Context&);                              \
  extern template LeastMemory least_self_memory<T>(const Assembly<T>&, Index, const Context&);                  \
  extern template std::size_t parameter_space_memory<T>(const Assembly<T>&, Index);                             \
  extern template PredictedWork predicted_work<T>(const Assembly<T>&, const AssemblyReport&);                   \
  extern template AssemblyReport assemble_self<T>(const Assembly<T>&, std::vector<Tensor<T>>&, const Context&); \
  extern template Tensor<T> assemble_parameter_space<T>(const Assembly<T>&, const Context&, const std::vector<Index>*);
TANGRA_DECLARE(float)
TANGRA_DECLARE(double)
#undef TANGRA_DECLARE

}  // namespace tangra::kernel
