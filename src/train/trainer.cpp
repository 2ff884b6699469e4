#include "tangra/train/trainer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/train/batches.h"

namespace tangra::train {
namespace {

constexpr const char* epoch_key = "epoch";
constexpr const char* step_key = "step";

template <class T>
factors::ParameterVectors<T> parameters_of(const Graph& graph) {
  factors::ParameterVectors<T> parameters = zeros_for<T>(graph);
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    if (!graph.parameters[p].trainable) continue;
    std::ranges::copy(graph.parameters[p].data.converted<T>(), parameters[p].begin());
  }
  return parameters;
}

template <class T>
bool all_finite(const factors::ParameterVectors<T>& tensors) {
  return std::ranges::all_of(tensors, [](const Tensor<T>& tensor) {
    return std::ranges::all_of(tensor, [](T entry) { return std::isfinite(entry); });
  });
}

template <class T>
Array shaped(const Tensor<T>& tensor, const Shape& shape) {
  return Array(tensor).reshaped(shape);
}

[[noreturn]] void refuse(const std::filesystem::path& path, std::string what, std::string got, std::string expected) {
  throw Error(ErrorKind::input, {.what = std::move(what), .where = path.string(), .got = std::move(got),
                                 .expected = std::move(expected), .cure = "Without --resume the training starts afresh"});
}

/// Copies the array with this name into `target`.
template <class T>
void take(const formats::NamedArrays& arrays, const std::string& name, const Shape& shape, Tensor<T>& target,
          const std::filesystem::path& path) {
  const auto found = std::ranges::find_if(arrays, [&](const auto& entry) { return entry.first == name; });
  if (found == arrays.end()) refuse(path, "the checkpoint lacks an array", "none of this name", name);
  const Array& array = found->second;
  if (array.shape() != shape || array.type() != dtype_of<T>()) {
    refuse(path, "array " + name + " does not fit the network", std::string(name_of(array.type())) + " " + to_string(array.shape()),
           std::string(name_of(dtype_of<T>())) + " " + to_string(shape));
  }
  std::ranges::copy(array.as<T>(), target.begin());
}

Index count_in(const Checkpoint& checkpoint, const char* key, const std::filesystem::path& path) {
  const auto found = checkpoint.settings.find(key);
  Index value = -1;
  if (found != checkpoint.settings.end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  }
  if (value < 0) refuse(path, "the checkpoint does not say how far it is", {}, std::string("metadata with ") + key);
  return value;
}

/// Parameters, gradient and the optimiser's state.
std::size_t bytes_of(const Graph& graph, const OptimizerSpec& spec, std::size_t each) {
  const std::size_t copies = spec.method == Method::adam ? 4 : spec.momentum > 0 ? 3 : 2;
  return static_cast<std::size_t>(graph.parameter_count()) * copies * each;
}

}  // namespace

template <class T>
Trainer<T>::Trainer(std::shared_ptr<const Graph> graph, const Loss& loss, const Samples<T>& samples,
                    const TrainingOptions& options, const Context& context)
    : graph_(std::move(graph)),
      context_(context),
      loss_(loss),
      samples_(samples),
      options_(options),
      parameters_(parameters_of<T>(*graph_)),
      gradient_(zeros_for<T>(*graph_)),
      memory_(context.memory, bytes_of(*graph_, options.optimizer, sizeof(T)), "parameters, gradient and optimiser"),
      optimizer_(options.optimizer, gradient_),
      program_(graph_, context),
      objective_(program_, loss_, samples_, context) {}

template <class T>
std::optional<Divergence> Trainer<T>::step(std::span<const Index> batch) {
  const Score score = objective_.gradient(batch, gradient_);
  if (!std::isfinite(score.loss_sum)) return Divergence{epoch_ + 1, steps() + 1, "the loss is not a finite number"};
  optimizer_.step(parameters_, gradient_, context_);
  if (!all_finite(parameters_)) return Divergence{epoch_ + 1, steps(), "a parameter is not a finite number any more"};
  program_.set_parameters(parameters_, context_);
  return std::nullopt;
}

template <class T>
std::optional<Divergence> Trainer<T>::run_epoch() {
  const Index samples = samples_.count();
  const Index batch = options_.batch_size > 0 ? std::min(options_.batch_size, samples) : samples;
  std::vector<Index> order(static_cast<std::size_t>(samples));
  if (batch < samples) order = shuffled(samples, options_.shuffle_seed, epoch_);
  else std::iota(order.begin(), order.end(), Index{0});
  for (Index begin = 0; begin < samples; begin += batch) {
    const Index count = std::min(batch, samples - begin);
    context_.report("training", static_cast<double>(epoch_ * samples + begin), static_cast<double>(options_.epochs * samples));
    const auto chosen = std::span<const Index>(order).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
    if (auto divergence = step(chosen)) return divergence;
  }
  ++epoch_;
  return std::nullopt;
}

template <class T>
formats::NamedArrays Trainer<T>::parameters() const {
  formats::NamedArrays arrays;
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    const Parameter& parameter = graph_->parameters[p];
    arrays.emplace_back(parameter.name,
                        parameter.trainable ? shaped(parameters_[p], parameter.data.shape()) : parameter.data);
  }
  return arrays;
}

template <class T>
Checkpoint Trainer<T>::checkpoint(std::map<std::string, std::string> settings) const {
  Checkpoint result{.parameters = parameters(), .state = {}, .settings = std::move(settings)};
  for (const auto& [name, tensors] : optimizer_.state()) {
    for (std::size_t p = 0; p < tensors.size(); ++p) {
      const Parameter& parameter = graph_->parameters[p];
      if (parameter.trainable) result.state.emplace_back(name + ":" + parameter.name, shaped(tensors[p], parameter.data.shape()));
    }
  }
  result.settings[epoch_key] = std::to_string(epoch_);
  result.settings[step_key] = std::to_string(steps());
  return result;
}

template <class T>
void Trainer<T>::restore(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    const Parameter& parameter = graph_->parameters[p];
    if (!parameter.trainable) continue;
    const Shape& shape = parameter.data.shape();
    take(checkpoint.parameters, parameter.name, shape, parameters_[p], path);
    for (auto& [name, tensors] : optimizer_.state()) {
      take(checkpoint.state, name + ":" + parameter.name, shape, tensors[p], path);
    }
  }
  if (!all_finite(parameters_)) refuse(path, "a parameter in the checkpoint is not a finite number", {}, {});
  epoch_ = count_in(checkpoint, epoch_key, path);
  optimizer_.set_steps(count_in(checkpoint, step_key, path));
  program_.set_parameters(parameters_, context_);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace tangra::train
