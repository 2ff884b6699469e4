#pragma once
// Not for other rooms: what computing with a network's kernel takes in memory, stated from shapes before it begins.
#include "tangra/base/memory_needs.h"
#include "tangra/differentiate/program.h"
#include "tangra/run/kernel/job.h"

namespace tangra::run {

/// Whether the samples are given back once they are in the type of the computation, or others have them too.
enum class Samples { given_back, shared };

/// That samples become the compute type's, which stay held: the bytes of these.
template <class T>
std::size_t add_samples(MemoryNeeds& needs, const Loaded& loaded, Samples samples);
/// The stages of compute_kernel(). What it leaves in memory stays held: the arrays of the result, whose bytes are returned.
template <class T>
std::size_t add_kernel(MemoryNeeds& needs, const KernelJob& job, const differentiate::Program<T>& program, Samples samples,
                       const Context& context);
/// The same where there is no program yet.
std::size_t add_kernel(MemoryNeeds& needs, const KernelJob& job, DType type, Samples samples, const Context& context);
/// Those of network_matrix(), which leaves a matrix of float64, [rows, columns], of so many bytes.
std::size_t add_matrix(MemoryNeeds& needs, const KernelJob& job, DType type, const Context& context);
/// Those of network_operator() and of its products, one vector at a time.
void add_operator(MemoryNeeds& needs, const KernelJob& job, DType type, const Context& context);
/// Those of network_outputs(), without the outputs.
void add_outputs(MemoryNeeds& needs, const Loaded& loaded, DType type);

/// Bytes that the threads of the pool keep of products with the network's parameters.
std::size_t scratch_bytes(const Graph& graph, std::size_t entry, const Context& context);

/// What LAPACK and the library below it keep and work in beside the matrices.
inline constexpr std::size_t lapack_bytes = std::size_t{6} << 20U;

/// Bytes of a kernel's arrays, all parts together.
std::size_t kernel_bytes(const KernelJob& job, std::size_t entry);

extern template std::size_t add_samples<float>(MemoryNeeds&, const Loaded&, Samples);
extern template std::size_t add_samples<double>(MemoryNeeds&, const Loaded&, Samples);
extern template std::size_t add_kernel<float>(MemoryNeeds&, const KernelJob&, const differentiate::Program<float>&, Samples,
                                              const Context&);
extern template std::size_t add_kernel<double>(MemoryNeeds&, const KernelJob&, const differentiate::Program<double>&, Samples,
                                               const Context&);

}  // namespace tangra::run
