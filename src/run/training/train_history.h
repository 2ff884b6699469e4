#pragma once
// Not for other rooms: what a training run remembers of its epochs, as arrays of a checkpoint.
#include "tangra/run/training.h"

namespace tangra::run {

/// The scores and kernel moments so far, as arrays `scores` and `moments`.
formats::NamedArrays history_arrays(const TrainResult& result);

/// Puts them back, but for those of epochs that a run of more epochs would not have looked at. Throws Error(input) that names
/// `path` where the arrays are not there or have another shape.
void restore_history(const train::Checkpoint& checkpoint, const std::string& path, TrainResult& result);

/// What must be the same for a run to go on as if it had not stopped, in words.
std::map<std::string, std::string> settings_of(const TrainResult& result, std::uint64_t model,
                                               const std::vector<std::uint64_t>& data);

}  // namespace tangra::run
