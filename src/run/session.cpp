#include "tangra/run/session.h"

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "tangra/base/error.h"
#include "tangra/base/memory_needs.h"
#include "tangra/base/tensor_cache.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"
#include "tangra/linalg/simd.h"
#include "tangra/run/memory.h"

namespace tangra::run {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t most_kept = std::size_t{64} << 20U;
constexpr int kept_share = 32;  ///< of the budget, for what threads keep between sweeps
constexpr const char* loaded_things = "the program, the network and the samples";
/// Of the program itself: code that runs for the first time, stacks, arenas of threads, small things that nobody counts. Kept free
/// for the whole run, three quarters of it from the next count of what is resident on.
constexpr std::size_t still_to_come = std::size_t{5} << 20U;
/// What is resident differs by so much from run to run: a figure that is told holds for the next one too.
constexpr std::size_t uncertain = std::size_t{2} << 20U;

/// Of the budget, from which on arrays come from the system one by one and go back to it when they are given back. The allocator by
/// itself raises this size to that of the largest array that was freed, and what is freed between smaller ones stays
/// resident: half of a small budget and more.
constexpr std::size_t returned_share = 512;
constexpr std::size_t least_returned = std::size_t{128} << 10U, most_returned = std::size_t{32} << 20U;

/// The budget that holds so much beside what threads keep of it.
std::size_t with_kept(std::size_t bytes) { return bytes / (kept_share - 1) * kept_share + kept_share; }

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// Whether entries of the input are whole numbers: indices of rows, as tokens are.
bool takes_indices(const Graph& graph) {
  static const std::set<std::string, std::less<>> moving = {"Cast",  "Concat",  "Expand", "Gather",    "Identity", "Pad",
                                                            "Reshape", "Slice", "Split",  "Transpose", "Tile"};
  std::set<ValueId> moved{graph.inputs.front()};
  for (const Node& node : graph.nodes) {
    if (node.op == "GatherData" && moved.contains(node.inputs[1])) return true;
    if (!moving.contains(node.op)) continue;
    if (std::ranges::any_of(node.inputs, [&](ValueId input) { return moved.contains(input); }))
      moved.insert(node.outputs.begin(), node.outputs.end());
  }
  return false;
}

/// The data hold one array.
void check_inputs(const Graph& graph, const std::string& model) {
  if (graph.inputs.size() == 1) return;
  std::string names;
  for (const ValueId input : graph.inputs) names += (names.empty() ? "" : ", ") + graph.value(input).name;
  throw Error(ErrorKind::input, {.what = "the network has inputs " + names + "; the data give one", .where = model, .got = {},
                                 .expected = "a network with one input",
                                 .cure = "--output NAME loads what one output needs alone; else export the network with its "
                                         "inputs joined to one"});
}

/// The value behind "KEY:" in one of the kernel's text files; empty where there is none.
std::string field_of(const char* file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    const std::size_t first = line.find_first_not_of(" \t", colon + 1);
    return first == std::string::npos ? std::string() : line.substr(first);
  }
  return {};
}

Array fitted(const data::DataSet& data, const Graph& graph) {
  const Shape& wanted = graph.shape(graph.inputs.front());
  const Shape& given = data.inputs.shape();
  const Index samples = given[0];
  const Shape sample(std::vector<Index>(given.begin() + 1, given.end()));
  if (sample.elements() != wanted.elements()) {
    throw Error(ErrorKind::input, {.what = "the samples do not fit the network", .where = data.name,
                                   .got = std::to_string(sample.elements()) + " features in a sample, shape " + to_string(sample),
                                   .expected = std::to_string(wanted.elements()) + ", shape " + to_string(wanted),
                                   .cure = "Change the network's first layer or the data"});
  }
  return data.inputs.reshaped(wanted.with_leading(samples));
}

/// Bytes that are indices are no pixels: they are taken as they are, unless --scale says otherwise.
void load_indices(data::DataSet& set, const Graph& graph, data::DataSpec spec) {
  if (!set.divided || !takes_indices(graph)) return;
  spec.scale = 1;
  set = data::load(spec);
}

DataSummary summarise(const data::DataSet& data, const Array& inputs) {
  return {.name = data.name, .description = data.description, .samples = inputs.shape()[0],
          .shape = Shape(std::vector<Index>(inputs.shape().begin() + 1, inputs.shape().end())),
          .labels = data.labels.has_value()};
}

}  // namespace

std::string machine() {
  static const std::string name = field_of("/proc/cpuinfo", "model name");  // does not change, and costs a read of the file
  return (name.empty() ? "unknown processor" : name) + ", " + std::to_string(usable_cores()) + " cores";
}

Session::Session(const Resources& resources, const Caller& caller)
    : pool_(resources.threads),
      memory_(resources.memory > 0 ? resources.memory
                                   : (resources.whole_process ? resident_memory() : 0) + free_memory() / 10 * 8),
      whole_process_(resources.whole_process),
      context_{.pool = pool_, .memory = memory_, .progress = caller.progress, .cancelled = caller.cancelled},
      start_(Clock::now()),
      step_start_(start_) {
  if (whole_process_ && resources.memory > 0) {
    const auto size = static_cast<int>(std::clamp(memory_.budget() / returned_share, least_returned, most_returned));
    ::mallopt(M_MMAP_THRESHOLD, size);
    ::mallopt(M_TRIM_THRESHOLD, size);
  }
  limit_kept_tensors(std::min(most_kept, memory_.budget() / kept_share / static_cast<std::size_t>(pool_.size())));
  reserve_kept();
}

/// Memory that threads keep between sweeps.
void Session::reserve_kept() {
  kept_ = Reservation(memory_, kept_tensor_bytes() * static_cast<std::size_t>(pool_.size()), "memory that sweeps use again");
}

void Session::release_resident() {
  resident_ = Reservation();
  kept_ = Reservation();
  ::malloc_trim(0);  // what was freed is not to count
}

void Session::count_resident() {
  if (!whole_process_) return;
  release_resident();
  program_ = Reservation();
  const std::size_t held = resident_memory();
  const std::size_t counted = memory_.in_use();
  if (held > counted) resident_ = Reservation(memory_, held - counted, loaded_things);
  if (required_) program_ = Reservation(memory_, std::min(still_to_come / 4 * 3, memory_.available()), loaded_things);
  reserve_kept();
}

void Session::count_loaded() {
  if (!whole_process_) return;
  release_resident();
  const std::size_t held = resident_memory();
  const std::size_t counted = memory_.in_use();
  const std::size_t loaded = held > counted ? held - counted : 0;
  const std::size_t within = std::min(loaded, memory_.available());
  over_ = loaded - within;
  resident_ = Reservation(memory_, within, loaded_things);
}

void Session::require(const MemoryNeeds& needs, const std::string& cure) {
  if (required_) return;
  required_ = true;
  count_loaded();  // what was made of the network since
  kept_ = Reservation();
  const std::size_t held = memory_.in_use() + over_ + (whole_process_ ? still_to_come : 0);
  const std::size_t least = with_kept(held + needs.least());
  if (memory_.budget() >= least) {
    if (whole_process_) program_ = Reservation(memory_, std::min(still_to_come, memory_.available()), loaded_things);
    return reserve_kept();
  }
  // Far more is not asked for to be quick.
  const std::size_t told = std::clamp(with_kept(held + needs.better()), least, least + least / 12) + (whole_process_ ? uncertain : 0);
  throw Error(ErrorKind::memory,
              {.what = "the memory budget is too small for " + (needs.what().empty() || over_ > 0 ? std::string(loaded_things) : needs.what()),
               .where = "--memory", .got = "a budget of " + human_bytes(memory_.budget()),
               .expected = "at least " + enough_bytes(told) + (with_kept(held + needs.better()) > told ? ", better " + enough_bytes(with_kept(held + needs.better())) : ""),
               .cure = cure});
}

void Session::step(const std::string& name) {
  const Clock::time_point now = Clock::now();
  seconds_.emplace_back(name, seconds_between(step_start_, now));
  step_start_ = now;
}

void Session::add_to_step(const std::string& name) {
  const auto found = std::ranges::find_if(seconds_, [&](const auto& step) { return step.first == name; });
  if (found == seconds_.end()) return step(name);
  const Clock::time_point now = Clock::now();
  found->second += seconds_between(step_start_, now);
  step_start_ = now;
}

void Session::add_step(const std::string& name, double seconds) {
  seconds_.emplace_back(name, seconds);
  step_start_ = Clock::now();
}

Provenance Session::provenance(std::uint64_t model, std::vector<std::uint64_t> data) const {
  return {.version = TANGRA_VERSION, .machine = machine(), .simd_target = linalg::simd_target(), .threads = pool_.size(),
          .memory_budget = memory_.budget(), .model_fingerprint = model, .data_fingerprints = std::move(data),
          .seconds = seconds_, .total_seconds = seconds_between(start_, Clock::now()), .peak_bytes = peak_memory()};
}

ModelSummary summarise(const Graph& graph, const std::string& text) {
  ModelSummary summary{.name = graph.name, .text = text, .input = graph.shape(graph.inputs.front()),
                       .output_name = graph.value(graph.outputs.front()).name, .output = graph.shape(graph.outputs.front()),
                       .parameters = graph.parameter_count(), .frozen = 0};
  for (const Parameter& parameter : graph.parameters) summary.frozen += parameter.trainable ? 0 : parameter.data.size();
  return summary;
}

Loaded load(const load::ModelSpec& model, const data::DataSpec& data) {
  Loaded loaded;
  loaded.data = data::load(data);
  load::ModelSpec spec = model;
  const Shape& shape = loaded.data.inputs.shape();
  if (!spec.input) spec.input = Shape(std::vector<Index>(shape.begin() + 1, shape.end()));
  loaded.graph = load::shared_model(spec);
  check_inputs(*loaded.graph, model.text);
  load_indices(loaded.data, *loaded.graph, data);
  loaded.inputs = fitted(loaded.data, *loaded.graph);
  loaded.model = summarise(*loaded.graph, model.text);
  loaded.summary = summarise(loaded.data, loaded.inputs);
  return loaded;
}

Loaded load_second(const Loaded& first, const data::DataSpec& data) {
  Loaded loaded;
  loaded.graph = first.graph;
  loaded.data = data::load(data);
  load_indices(loaded.data, *loaded.graph, data);
  loaded.inputs = fitted(loaded.data, *loaded.graph);
  loaded.model = first.model;
  loaded.summary = summarise(loaded.data, loaded.inputs);
  return loaded;
}

template <class T>
SharedSamples<T> samples_in(const Loaded& loaded) {
  SharedSamples<T> samples = loaded.inputs.tensor<T>();
  if (std::is_same_v<T, double> || loaded.inputs.type() == dtype_of<T>()) return samples;
  const auto bad = std::ranges::find_if_not(*samples, [](T value) { return std::isfinite(value); });
  if (bad == samples->end()) return samples;
  const Index at = bad - samples->begin();
  const Index features = samples->size() / loaded.inputs.shape()[0];
  throw Error(ErrorKind::input, {.what = "an input is beyond what float32 can hold",
                                 .where = loaded.data.name + ", sample " + std::to_string(at / features) + ", value " +
                                          std::to_string(at % features),
                                 .got = "infinity or NaN in float32", .expected = "at most 3.4e38",
                                 .cure = "Take another --scale or --normalize, or --precision float64"});
}
template SharedSamples<float> samples_in<float>(const Loaded&);
template SharedSamples<double> samples_in<double>(const Loaded&);

template <class T>
SharedSamples<T> taken_inputs(Loaded& loaded, Session& session) {
  const bool shared = loaded.inputs.type() == dtype_of<T>();
  const auto bytes = shared ? 0 : static_cast<std::size_t>(loaded.inputs.size()) * sizeof(T);
  SharedSamples<T> inputs;
  {
    const Reservation memory(session.context().memory, bytes,
                             "the samples in " + std::string(name_of(dtype_of<T>())) + " (--n takes fewer)");
    inputs = samples_in<T>(loaded);
    loaded.inputs = Array();
    loaded.data.inputs = Array();
  }
  session.count_resident();
  return inputs;
}
template SharedSamples<float> taken_inputs<float>(Loaded&, Session&);
template SharedSamples<double> taken_inputs<double>(Loaded&, Session&);

ValueId find_value(const Graph& graph, const std::string& name, const std::string& option) {
  const ValueId value = name == "output" ? graph.outputs.front() : graph.find_value(name);
  if (value == no_id) {
    std::string names;
    for (const Node& node : graph.nodes) {
      for (const ValueId output : node.outputs) names += (names.empty() ? "" : ", ") + graph.value(output).name;
    }
    for (const auto& [alias, own] : graph.aliases) names += (names.empty() ? "" : ", ") + alias;
    throw Error(ErrorKind::usage, {.what = "the network has no such value", .where = option, .got = name,
                                   .expected = "output, input or one of: " + names, .cure = {}});
  }
  if (graph.value(value).dependence != Dependence::samples) {
    throw Error(ErrorKind::unsupported, {.what = "this value is the same for every sample", .where = option, .got = name,
                                         .expected = "a value that depends on the input", .cure = {}});
  }
  return value;
}

DType compute_type(Precision precision, const Graph& graph) {
  if (precision == Precision::automatic) return graph.parameter_type();
  return precision == Precision::float64 ? DType::float64 : DType::float32;
}

void write_arrays(const std::string& out, const std::vector<NamedArray>& arrays) {
  if (out.empty()) return;
  if (extension_of(out) == ".npy") {
    TANGRA_ENSURE(arrays.size() == 1);
    formats::write_npy(out, arrays.front().array);
    return;
  }
  std::vector<std::pair<std::string, Array>> entries;
  for (const NamedArray& named : arrays) entries.emplace_back(named.name, named.array);
  formats::write_npz(out, entries);
}

void remove_companion(const std::string& out) {
  std::error_code ignored;  // mostly there is none
  if (!out.empty()) std::filesystem::remove(out + ".json", ignored);
}

Tensor<double> finite(const Array& array, const std::string& where) {
  Tensor<double> entries = array.converted<double>();
  const auto bad = std::ranges::find_if_not(entries, [](double entry) { return std::isfinite(entry); });
  if (bad == entries.end()) return entries;
  throw Error(ErrorKind::input, {.what = "an entry is not a finite number", .where = where,
                                 .got = std::to_string(*bad) + " at place " + std::to_string(bad - entries.begin()),
                                 .expected = {}, .cure = {}});
}

std::string extension_of(const std::string& path) { return std::filesystem::path(path).extension().string(); }

void check_out(const std::string& out, ExistingFile existing, std::vector<std::string> extensions) {
  if (out.empty()) return;
  if (std::ranges::find(extensions, extension_of(out)) == extensions.end()) {
    std::string list;
    for (const std::string& extension : extensions) list += (list.empty() ? "" : " or ") + extension;
    throw Error(ErrorKind::usage, {.what = "the result cannot be written to a file of this kind", .where = "-o",
                                   .got = out, .expected = "a name that ends in " + list, .cure = {}});
  }
  std::error_code ignored;
  if (existing == ExistingFile::refuse && std::filesystem::exists(out, ignored)) {
    throw Error(ErrorKind::usage, {.what = "the file exists", .where = out, .got = {}, .expected = {},
                                   .cure = extension_of(out) == ".zarr"
                                               ? "Go on with it by --resume, replace it with --force, or choose another name"
                                               : "Choose another name, or replace it with --force"});
  }
  const std::filesystem::path folder = std::filesystem::absolute(out).parent_path();
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw Error(ErrorKind::input, {.what = "the folder of the result does not exist", .where = folder.string(), .got = {},
                                   .expected = {}, .cure = "Make it first, or choose another name"});
  }
}

}  // namespace tangra::run
