#pragma once
#include <string>

#include "tangra/report/data_sets.h"
#include "tangra/run/result.h"
#include "tangra/run/training.h"

namespace tangra::report {

/// Results as one JSON object, indented, with a line break at the end. Numbers that JSON cannot hold
/// (infinite, not a number) are null. A field that is there once stays, whatever is added.
std::string json(const run::SummaryResult& result);
std::string json(const run::ArraysResult& result);
std::string json(const run::KernelResult& result);
std::string json(const run::PlanResult& result);
std::string json(const run::VerifyRunResult& result);
std::string json(const run::SpectrumResult& result);
std::string json(const run::TrainResult& result);
std::string json(const run::LineariseResult& result);
std::string json(const run::PredictResult& result);
std::string json(const run::InfiniteResult& result);
std::string json(const DataSetList& list);
std::string json(const DataSetShown& shown);

}  // namespace tangra::report
