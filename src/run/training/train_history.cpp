#include "tangra/run/training/train_history.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "tangra/base/error.h"
#include "tangra/base/hash.h"

namespace tangra::run {
namespace {

constexpr Index score_columns = 8;
constexpr Index moment_columns = 7;  // and the eigenvalues

Array table(const std::vector<std::vector<double>>& rows, Index columns) {
  Tensor<double> entries({static_cast<Index>(rows.size()), columns});
  for (std::size_t r = 0; r < rows.size(); ++r) std::ranges::copy(rows[r], entries.data() + static_cast<Index>(r) * columns);
  return Array(std::move(entries));
}

/// Counts are below 2^53, so they come back as they were.
std::vector<double> row_of(const EpochScore& score) {
  const train::Score test = score.test.value_or(train::Score{});
  return {static_cast<double>(score.epoch),         static_cast<double>(score.steps), score.train.loss_sum,
          static_cast<double>(score.train.correct), static_cast<double>(score.train.samples), test.loss_sum,
          static_cast<double>(test.correct),        static_cast<double>(test.samples)};
}

EpochScore score_of(std::span<const double> row) {
  const auto count = [&](std::size_t column) { return static_cast<Index>(row[column]); };
  EpochScore score{.epoch = count(0), .steps = count(1), .train = {row[2], count(3), count(4)}, .test = {}};
  if (count(7) > 0) score.test = train::Score{row[5], count(6), count(7)};
  return score;
}

std::vector<double> row_of(const KernelMoment& moment) {
  std::vector<double> row = {static_cast<double>(moment.epoch), moment.distance, moment.alignment, moment.alignment_centred,
                             moment.labels, moment.labels_centred, moment.trace};
  row.insert(row.end(), moment.eigenvalues.begin(), moment.eigenvalues.end());
  return row;
}

KernelMoment moment_of(std::span<const double> row) {
  return {.epoch = static_cast<Index>(row[0]), .distance = row[1], .alignment = row[2], .alignment_centred = row[3],
          .labels = row[4], .labels_centred = row[5], .trace = row[6],
          .eigenvalues = {row.begin() + moment_columns, row.end()}};
}

/// The rows of an array with at least so many columns.
std::vector<std::vector<double>> rows_of(const train::Checkpoint& checkpoint, const std::string& name, Index least,
                                         const std::string& path) {
  const auto found = std::ranges::find_if(checkpoint.state, [&](const auto& entry) { return entry.first == name; });
  const bool fits = found != checkpoint.state.end() && found->second.type() == DType::float64 &&
                    found->second.shape().rank() == 2 && found->second.shape()[1] >= least;
  if (!fits) {
    throw Error(ErrorKind::input, {.what = "the checkpoint does not tell what happened so far", .where = path, .got = {},
                                   .expected = "a float64 table training:" + name,
                                   .cure = "Without --resume the training starts afresh"});
  }
  const auto entries = found->second.as<double>();
  const auto columns = static_cast<std::size_t>(found->second.shape()[1]);
  std::vector<std::vector<double>> rows;
  for (std::size_t at = 0; at < entries.size(); at += columns) {
    rows.emplace_back(entries.begin() + static_cast<std::ptrdiff_t>(at), entries.begin() + static_cast<std::ptrdiff_t>(at + columns));
  }
  return rows;
}

/// The shortest decimal that is this number.
std::string exact(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

}  // namespace

formats::NamedArrays history_arrays(const TrainResult& result) {
  std::vector<std::vector<double>> scores;
  for (const EpochScore& score : result.scores) scores.push_back(row_of(score));
  formats::NamedArrays arrays = {{"scores", table(scores, score_columns)}};
  if (result.moments.empty()) return arrays;
  std::vector<std::vector<double>> moments;
  for (const KernelMoment& moment : result.moments) moments.push_back(row_of(moment));
  arrays.emplace_back("moments", table(moments, static_cast<Index>(moments.front().size())));
  return arrays;
}

void restore_history(const train::Checkpoint& checkpoint, const std::string& path, TrainResult& result) {
  const TrainSpec& spec = result.requested;
  for (const auto& row : rows_of(checkpoint, "scores", score_columns, path)) {
    EpochScore score = score_of(row);
    if (score.epoch % spec.evaluate_every == 0 || score.epoch == spec.epochs) result.scores.push_back(score);
  }
  if (spec.kernel_every == 0) return;
  for (const auto& row : rows_of(checkpoint, "moments", moment_columns, path)) {
    KernelMoment moment = moment_of(row);
    if (moment.epoch % spec.kernel_every == 0 || moment.epoch == spec.epochs) result.moments.push_back(std::move(moment));
  }
}

std::map<std::string, std::string> settings_of(const TrainResult& result, std::uint64_t model,
                                               const std::vector<std::uint64_t>& data) {
  const TrainSpec& spec = result.requested;
  std::map<std::string, std::string> settings = {
      {"loss", train::name_of(spec.loss)},
      {"optimizer", train::name_of(spec.optimizer.method)},
      {"lr", exact(spec.optimizer.rate)},
      {"batch-size", std::to_string(spec.batch_size)},
      {"shuffle-seed", std::to_string(spec.shuffle_seed)},
      {"precision", result.precision},
      {"evaluate-every", std::to_string(spec.evaluate_every)},
      {"kernel-every", std::to_string(spec.kernel_every)},
      {"model", hexadecimal(model)},
  };
  if (spec.optimizer.method == train::Method::gd) {
    settings["momentum"] = exact(spec.optimizer.momentum);
  } else {
    settings["beta1"] = exact(spec.optimizer.beta1);
    settings["beta2"] = exact(spec.optimizer.beta2);
    settings["epsilon"] = exact(spec.optimizer.epsilon);
  }
  if (spec.kernel_every > 0) {
    settings["kernel"] = spec.reduce + " of " + std::to_string(spec.kernel_samples) + " samples, top " + std::to_string(spec.top);
  }
  settings["data"] = hexadecimal(data.front());
  settings["test"] = data.size() > 1 ? hexadecimal(data.back()) : "none";
  return settings;
}

}  // namespace tangra::run
