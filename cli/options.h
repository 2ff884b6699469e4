#pragma once
#include <string>
#include <variant>

#include "tangra/run/report_data.h"
#include "tangra/run/spec.h"
#include "tangra/run/training.h"

namespace tangra::cli {

/// tangra data list
struct DataListRequest {
  std::string data_dir = {};
};

/// tangra data show NAME
struct DataShowRequest {
  std::string source = {};
  std::string data_dir = {};
};

/// tangra plan
struct PlanRequest {
  run::KernelSpec spec = {};
};

using Request = std::variant<run::SummarySpec, run::JacobianSpec, run::ProductSpec, run::KernelSpec, PlanRequest,
                             run::VerifySpec, run::SpectrumSpec, run::TrainSpec, run::LineariseSpec, run::PredictSpec, run::InfiniteSpec,
                             run::ReportSpec, DataListRequest, DataShowRequest>;

/// A command line, understood.
struct Options {
  Request request;
  bool json = false;
  bool progress = true;  ///< told on standard error
};

/// What a command line is answered with at once: help, the version, or what is wrong with it.
struct Answer {
  int exit_code = 0;
  std::string text;  ///< for standard output where exit_code is 0, else for standard error
};

/// Reads the arguments. Throws Error(usage) for a value that is not one of an option's choices.
std::variant<Options, Answer> parse(int argc, const char* const* argv);

}  // namespace tangra::cli
