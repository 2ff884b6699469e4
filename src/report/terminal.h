#pragma once
#include <string>

#include "tangra/report/data_sets.h"
#include "tangra/report/style.h"
#include "tangra/run/result.h"
#include "tangra/run/training.h"

namespace tangra::report {

/// Results as tables for people: aligned columns, units, lines of at most style.width columns. Only commands
/// that are meant to be pasted, and whose words are longer than a line, may exceed it.
std::string terminal(const run::SummaryResult& result, const TerminalStyle& style);
std::string terminal(const run::ArraysResult& result, const TerminalStyle& style);
std::string terminal(const run::KernelResult& result, const TerminalStyle& style);
std::string terminal(const run::PlanResult& result, const TerminalStyle& style);
std::string terminal(const run::VerifyRunResult& result, const TerminalStyle& style);
std::string terminal(const run::SpectrumResult& result, const TerminalStyle& style);
std::string terminal(const run::TrainResult& result, const TerminalStyle& style);
std::string terminal(const run::LineariseResult& result, const TerminalStyle& style);
std::string terminal(const run::PredictResult& result, const TerminalStyle& style);
std::string terminal(const run::InfiniteResult& result, const TerminalStyle& style);
std::string terminal(const DataSetList& list, const TerminalStyle& style);
std::string terminal(const DataSetShown& shown, const TerminalStyle& style);

}  // namespace tangra::report
