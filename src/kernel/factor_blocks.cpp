#include "tangra/kernel/factor_blocks.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>

namespace tangra::kernel {
namespace {

using factors::BlockCollector;
using factors::Term;

/// A block on its way.
template <class T>
struct Progressing {
  std::unique_ptr<BlockCollector<T>> block;
  std::once_flag begun;
  std::atomic<Index> pieces{0};  ///< still to come
};

/// One sweep: samples [first, last) of block `range`.
struct Piece {
  std::size_t range;
  Index first;
  Index last;
};

/// The numbers of terms that come in their order, those of some parameters left out.
class TermNumbers {
 public:
  explicit TermNumbers(const std::vector<ParameterId>& parameters) : parameters_(parameters) {}

  int next(ParameterId parameter) {
    std::size_t& from = from_[parameter];
    while (parameters_.at(from) != parameter) ++from;
    return static_cast<int>(from++);
  }

 private:
  const std::vector<ParameterId>& parameters_;
  std::map<ParameterId, std::size_t> from_;
};

/// Pieces of about equal size.
template <class T>
Index piece_samples(const factors::FactorSource<T>& source, Index samples) {
  const Index most = std::clamp<Index>(source.samples_at_once(), 1, std::max<Index>(1, samples));
  const Index pieces = (samples + most - 1) / most;
  return pieces == 0 ? 1 : (samples + pieces - 1) / pieces;
}

}  // namespace

template <class T>
void collect_blocks(const factors::FactorSource<T>& source, const factors::ContractionPlan& plan,
                    const std::vector<SampleRange>& ranges, const Context& context,
                    const std::function<void(std::size_t, const BlockCollector<T>&)>& use, factors::RowMemory<T> memory) {
  std::vector<Progressing<T>> blocks(ranges.size());
  std::vector<Piece> pieces;
  for (std::size_t k = 0; k < ranges.size(); ++k) {
    const auto [begin, end] = ranges[k];
    const Index step = piece_samples(source, end - begin);
    for (Index first = begin; first < end; first += step) {
      pieces.push_back({k, first, std::min(end, first + step)});
      ++blocks[k].pieces;
    }
  }
  const factors::Wanted wanted = plan.wanted();
  context.pool.parallel_for(static_cast<Index>(pieces.size()), [&](Index item, int worker) {
    context.check_cancelled();
    const auto [range, first, last] = pieces[static_cast<std::size_t>(item)];
    Progressing<T>& own = blocks[range];
    const auto [begin, end] = ranges[range];
    std::call_once(own.begun, [&, samples = end - begin] { own.block = std::make_unique<BlockCollector<T>>(plan, samples, memory); });
    TermNumbers numbers(plan.term_parameters);
    const auto take = [&, offset = first - begin, count = last - first](Term<T> term) {
      const int index = numbers.next(term.place.parameter);
      own.block->take(offset, count, index, std::move(term), context);
    };
    source.sweep(first, last, take, wanted.empty() ? nullptr : &wanted);
    if (worker == 0) context.report("sweeping", static_cast<double>(item + 1), static_cast<double>(pieces.size()));
    if (own.pieces.fetch_sub(1) > 1) return;
    use(range, *own.block);
    own.block.reset();
  });
}

template <class T>
std::size_t sweep_bytes(const factors::FactorSource<T>& source, Index block_samples) {
  return static_cast<std::size_t>(piece_samples(source, block_samples)) * source.bytes_per_sample();
}

#define TANGRA_INSTANTIATE(T)                                                                                      \
  template void collect_blocks<T>(const factors::FactorSource<T>&, const factors::ContractionPlan&,               \
                                  const std::vector<SampleRange>&, const Context&,                                \
                                  const std::function<void(std::size_t, const BlockCollector<T>&)>&,              \
                                  factors::RowMemory<T>);                                                         \
  template std::size_t sweep_bytes<T>(const factors::FactorSource<T>&, Index);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE

}  // namespace tangra::kernel
