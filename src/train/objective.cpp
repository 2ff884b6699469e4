#include "tangra/train/objective.h"

#include <algorithm>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/differentiate/network_factors.h"

namespace tangra::train {
namespace {

/// Memory that a block of samples is to take, and the most samples in it.
constexpr std::size_t block_bytes = std::size_t{64} << 20U;
constexpr std::size_t most_samples = 1024;

template <class T>
std::size_t bytes_per_sample(const differentiate::Program<T>& program, const Loss& loss, const Samples<T>& samples,
                             const Context& context) {
  const auto one_direction = differentiate::Basis::computed(loss.classes(), 1, {});
  return differentiate::NetworkFactors<T>(program, samples.inputs, loss.of(), one_direction, context).bytes_per_sample();
}

/// Adds the losses of a block with outputs [n, O]. Where `seeds` [n, 1, O] is there, it becomes the gradients times
/// `weight`.
template <class T>
void add_losses(const Loss& loss, const Tensor<T>& outputs, std::span<const Index> labels, Score& score, double weight,
                Tensor<T>* seeds) {
  const auto classes = static_cast<std::size_t>(loss.classes());
  std::vector<double> values(classes);
  std::vector<double> gradient(seeds == nullptr ? 0 : classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::copy_n(outputs.data() + i * classes, classes, values.begin());
    const Loss::Outcome outcome = loss(values, labels[i], gradient);
    score.loss_sum += outcome.loss;
    score.correct += outcome.correct ? 1 : 0;
    for (std::size_t a = 0; a < gradient.size(); ++a) {
      seeds->data()[i * classes + a] = static_cast<T>(weight * gradient[a]);
    }
  }
  score.samples += static_cast<Index>(labels.size());
}

std::vector<Index> labels_of(const std::vector<Index>& labels, std::span<const Index> chosen) {
  std::vector<Index> result;
  for (const Index sample : chosen) result.push_back(labels[static_cast<std::size_t>(sample)]);
  return result;
}

}  // namespace

template <class T>
Objective<T>::Objective(const differentiate::Program<T>& program, const Loss& loss, const Samples<T>& samples,
                        const Context& context)
    : program_(program), loss_(loss), samples_(samples), context_(context) {
  const std::size_t each = bytes_per_sample(program, loss, samples, context);
  block_ = static_cast<Index>(std::clamp<std::size_t>(block_bytes / (each + 1), 1, most_samples));
  const Index used = std::min(block_, samples.count());
  memory_ = Reservation(context.memory, each * static_cast<std::size_t>(used), "the sweeps of a block of samples");
}

template <class T>
std::vector<Index> Objective<T>::all() const {
  std::vector<Index> chosen(static_cast<std::size_t>(samples_.count()));
  std::iota(chosen.begin(), chosen.end(), Index{0});
  return chosen;
}

template <class T>
Tensor<T> Objective<T>::gathered(std::span<const Index> chosen) const {
  Shape shape = samples_.inputs.shape();
  const Index size = shape.elements(1, shape.rank());
  shape[0] = static_cast<Index>(chosen.size());
  auto rows = Tensor<T>::uninitialized(std::move(shape));
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    std::copy_n(samples_.inputs.data() + chosen[i] * size, size, rows.data() + static_cast<Index>(i) * size);
  }
  return rows;
}

template <class T>
Score Objective<T>::score() const {
  Score score;
  const Tensor<double> values = outputs();
  add_losses<double>(loss_, values, samples_.labels, score, 1, nullptr);
  return score;
}

template <class T>
Tensor<double> Objective<T>::outputs() const {
  const std::vector<Index> chosen = all();
  auto result = Tensor<double>::uninitialized({samples_.count(), loss_.classes()});
  for (Index begin = 0; begin < samples_.count(); begin += block_) {
    const Index count = std::min(block_, samples_.count() - begin);
    std::vector<Tensor<T>> inputs;
    inputs.push_back(gathered(std::span(chosen).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count))));
    const auto activations = differentiate::forward(program_, std::move(inputs), context_);
    std::ranges::copy(activations[loss_.of()], result.data() + begin * loss_.classes());
  }
  return result;
}

template <class T>
Score Objective<T>::gradient(std::span<const Index> batch, factors::ParameterVectors<T>& gradient) const {
  for (Tensor<T>& own : gradient) std::ranges::fill(own, T(0));
  Score score;
  const double weight = 1 / static_cast<double>(batch.size());
  const T one = 1;
  for (std::size_t begin = 0; begin < batch.size(); begin += static_cast<std::size_t>(block_)) {
    context_.check_cancelled();
    const auto chosen = batch.subspan(begin, std::min(static_cast<std::size_t>(block_), batch.size() - begin));
    const auto count = static_cast<Index>(chosen.size());
    std::vector<Tensor<T>> inputs;
    inputs.push_back(gathered(chosen));
    const auto activations = differentiate::forward(program_, std::move(inputs), context_);
    auto seeds = Tensor<T>::uninitialized({count, 1, loss_.classes()});
    add_losses(loss_, activations[loss_.of()], labels_of(samples_.labels, chosen), score, weight, &seeds);
    const auto swept = differentiate::reverse(program_, activations, {.of = loss_.of(), .parameters = true, .values = {}},
                                              std::move(seeds), context_);
    const MatrixView<const T> ones{&one, count, 1, 0, 1};
    factors::add_transposed_product(swept.parameters, factors::RowLayout{}, 0, ones, gradient, context_);
  }
  return score;
}

template <class T>
factors::ParameterVectors<T> zeros_for(const Graph& graph) {
  std::vector<Index> sizes;
  for (const Parameter& parameter : graph.parameters) sizes.push_back(parameter.trainable ? parameter.data.size() : 0);
  return factors::parameter_vectors<T>(sizes, 1);
}

template class Objective<float>;
template class Objective<double>;
template factors::ParameterVectors<float> zeros_for<float>(const Graph&);
template factors::ParameterVectors<double> zeros_for<double>(const Graph&);

}  // namespace tangra::train
