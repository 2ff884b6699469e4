// Pairs of a sample with itself.
#include "tangra/kernel/assembly.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "tangra/base/error.h"
#include "tangra/kernel/factor_blocks.h"
#include "tangra/kernel/not_finite.h"

namespace tangra::kernel {

using factors::BlockCollector;
using factors::FactorBlock;
using factors::FactorSource;

namespace {

/// What a thread takes for one sample.
template <class T>
std::size_t bytes_of_one(const FactorSource<T>& source, const FactorBlock<T>& sample, const factors::ContractionPlan& plan) {
  const auto needs = factors::block_needs(sample, plan, linalg::Side::right, 1);
  return source.bytes_per_sample() + needs.shared + needs.collected;
}

template <class T>
factors::ContractionPlan plan_of_self(const Assembly<T>& assembly, const FactorBlock<T>& sample, Index samples) {
  return factors::plan_contractions(sample, assembly.layout, assembly.parts.part_of, assembly.sizes,
                                    factors::SampleCounts{.rows = samples, .columns = 0}, assembly.order);
}

}  // namespace

template <class T>
LeastMemory least_self_memory(const Assembly<T>& assembly, Index samples, const Context& context) {
  if (samples == 0) return {};
  const FactorSource<T>& source = *assembly.rows;
  const FactorBlock<T> sample = source.make(0, 0);
  const std::size_t each = bytes_of_one(source, sample, plan_of_self(assembly, sample, samples)) * static_cast<std::size_t>(context.pool.size());
  return {.bytes = each + 1, .better = (each + 1) * static_cast<std::size_t>(std::min(samples, source.samples_at_once()))};
}

template <class T>
AssemblyReport assemble_self(const Assembly<T>& assembly, std::vector<Tensor<T>>& result, const Context& context) {
  const auto start = std::chrono::steady_clock::now();
  const FactorSource<T>& source = *assembly.rows;
  AssemblyReport report;
  const Index samples = source.samples();
  report.block_samples = std::max<Index>(1, std::min(samples, source.samples_at_once()));
  const FactorBlock<T> sample = source.make(0, std::min<Index>(1, samples));
  report.plan = plan_of_self(assembly, sample, samples);
  const Index entries = assembly.layout.planes * assembly.layout.full * assembly.layout.full;
  const auto parts = static_cast<int>(assembly.parts.names.size());
  result.clear();
  for (int part = 0; part < assembly.parts.count(); ++part) result.emplace_back(Shape{samples, entries});
  if (samples > 0 && context.memory.budget() > 0) {
    const std::size_t each = bytes_of_one(source, sample, report.plan) * static_cast<std::size_t>(context.pool.size());
    const auto fitting = static_cast<Index>(context.memory.available() / (each + 1));
    if (fitting < 1) context.memory.take(each, "the factors of one sample");
    report.block_samples = std::min(report.block_samples, fitting);
  }
  std::vector<SampleRange> ranges;
  for (Index begin = 0; begin < samples; begin += report.block_samples) {
    ranges.emplace_back(begin, std::min(samples, begin + report.block_samples));
  }
  collect_blocks<T>(source, report.plan, ranges, context, [&](std::size_t k, const BlockCollector<T>& block) {
    const Index begin = ranges[k].first;
    for (int part = 0; part < parts; ++part) {
      T* own = result[static_cast<std::size_t>(part)].data() + begin * entries;
      factors::contract_self(report.plan, block, part, own, context);
      for (Index e = 0; e < block.samples() * entries; ++e) {
        own[e] /= static_cast<T>(assembly.divisor);
        if (!std::isfinite(own[e])) not_finite(begin + e / entries, begin + e / entries);
        if (assembly.parts.with_total) result.back()[begin * entries + e] += own[e];
      }
    }
  });
  report.factor_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

template LeastMemory least_self_memory<float>(const Assembly<float>&, Index, const Context&);
template LeastMemory least_self_memory<double>(const Assembly<double>&, Index, const Context&);
template AssemblyReport assemble_self<float>(const Assembly<float>&, std::vector<Tensor<float>>&, const Context&);
template AssemblyReport assemble_self<double>(const Assembly<double>&, std::vector<Tensor<double>>&, const Context&);

}  // namespace tangra::kernel
