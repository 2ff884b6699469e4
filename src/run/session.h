#pragma once
// Not for other rooms: what every run needs before its own work begins.
#include <chrono>
#include <memory>

#include "tangra/base/context.h"
#include "tangra/base/memory_needs.h"
#include "tangra/run/result.h"
#include "tangra/run/run.h"

namespace tangra::run {

/// The pool, the memory ledger and the clock of one run.
class Session {
 public:
  Session(const Resources& resources, const Caller& caller);

  const Context& context() const { return context_; }
  /// Counts against the budget, where it is for the whole process, what that holds and nothing else accounts for: the
  /// program, the network, the samples. To be called when these are loaded, and again when some are gone. Throws Error(memory).
  void count_resident();
  /// As count_resident(), behind the loading of what require() is to follow for: what does not fit is told there.
  void count_loaded();
  /// Says before the work begins whether all of it fits beside what is held, and if not what would do. Once it has been said
  /// of a whole run it is not said anew of a part. Throws Error(memory).
  void require(const MemoryNeeds& needs, const std::string& cure = {});
  /// Ends a step: the time since the last one ended counts for `name`.
  void step(const std::string& name);
  /// As step(), where the step of this name may have had parts before.
  void add_to_step(const std::string& name);
  /// Adds seconds that belong to a step measured elsewhere, and starts the clock anew.
  void add_step(const std::string& name, double seconds);
  /// What is known at the end of the run.
  Provenance provenance(std::uint64_t model, std::vector<std::uint64_t> data) const;

 private:
  void reserve_kept();
  void release_resident();

  ThreadPool pool_;
  MemoryLedger memory_;
  bool whole_process_;
  Reservation resident_;
  Reservation program_;  ///< what it will still take that nobody counts
  Reservation kept_;
  std::size_t over_ = 0;  ///< what was loaded beyond the budget
  bool required_ = false;
  Context context_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point step_start_;
  std::vector<std::pair<std::string, double>> seconds_;
};

/// A network and the samples that go into it.
struct Loaded {
  std::shared_ptr<const Graph> graph;
  data::DataSet data;
  Array inputs;  ///< data.inputs in the network's shape, (N, input)
  ModelSummary model;
  DataSummary summary;
};

/// Loads both; the data's shape helps where the network's text leaves its input open. Throws Error(input) where the samples
/// do not fit the network.
Loaded load(const load::ModelSpec& model, const data::DataSpec& data);
/// A second set for the same network.
Loaded load_second(const Loaded& first, const data::DataSpec& data);

/// [N, input]; where the data have the type of the computation already, the memory that they are in.
template <class T>
using SharedSamples = std::shared_ptr<const Tensor<T>>;

/// samples_in(), after which those of the data set are given back and what is resident is counted anew. Throws
/// Error(memory) too.
template <class T>
SharedSamples<T> taken_inputs(Loaded& loaded, Session& session);
extern template SharedSamples<float> taken_inputs<float>(Loaded&, Session&);
extern template SharedSamples<double> taken_inputs<double>(Loaded&, Session&);

/// Processor and number of cores.
std::string machine();

ModelSummary summarise(const Graph& graph, const std::string& text);
/// The samples in the type of the computation. Throws Error(input) for one that T cannot hold.
template <class T>
SharedSamples<T> samples_in(const Loaded& loaded);
/// The value that "output" or a name means. Throws Error(usage), listing the names, where there is none, and
/// Error(unsupported) where it depends on no sample.
ValueId find_value(const Graph& graph, const std::string& name, const std::string& option);
/// float32 or float64, from what was asked for and what the network has.
DType compute_type(Precision precision, const Graph& graph);

/// Throws Error(usage) where the path exists and may not be replaced, or has none of these extensions.
void check_out(const std::string& out, ExistingFile existing, std::vector<std::string> extensions);
/// Writes a .npz (or, of a single array, a .npy); nothing where `out` is empty.
void write_arrays(const std::string& out, const std::vector<NamedArray>& arrays);
/// Removes FILE.json of an earlier run before `out` is replaced, so that it never stands beside another kernel.
void remove_companion(const std::string& out);
/// The entries in float64. Throws Error(input), naming `where`, for one that is not finite.
Tensor<double> finite(const Array& array, const std::string& where);
std::string extension_of(const std::string& path);

}  // namespace tangra::run
