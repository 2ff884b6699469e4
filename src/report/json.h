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

/// Where the description of a kernel's file lies: FILE.json beside FILE.
std::string beside(const std::string& kernel);
/// Throws Error(usage) where a description stands already and may not be replaced. To be called before the run.
void check_beside(const run::KernelSpec& spec);
/// Writes json(result) beside the kernel's file; nothing where there is no file, or where a resumed run found everything
/// done and described.
void write_beside(const run::KernelResult& result);

}  // namespace tangra::report
