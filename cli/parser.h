#pragma once
// Included by the sources named parse*.cpp alone: it brings in CLI11, which takes many seconds to compile.
#include <functional>
#include <string>
#include <vector>

#include "option_groups.h"
#include "options.h"

namespace tangra::cli {

/// A subcommand and what makes its request once everything is read.
struct Command {
  CLI::App* app = nullptr;
  std::function<Request()> request;
};

/// Throws Error(usage) where a network was written in the place of data.
void check_is_no_network(const std::string& source, const char* place);

/// All commands with the variables that their options are read into.
class Commands {
 public:
  Commands();
  CLI::App& app() { return app_; }
  const Common& common() const { return common_; }
  Request request() const;
  bool knows(const std::string& name) const;
  [[noreturn]] void refuse_command(const std::string& name) const;
  /// The command whose options are read, as the user calls it.
  std::string current() const;

 private:
  CLI::App& add(const std::string& name, const std::string& description, const char* footer);
  void add_summary();
  void add_jacobian();
  void add_product(bool forward);
  void add_kernel(bool planned);
  void add_kernel_choices(CLI::App& app);
  void add_verify();
  void add_spectrum();
  void add_train();
  void add_linearise();
  void add_predict();
  void add_infinite();
  void add_report_page();
  void add_data_sets();
  run::JacobianSpec finished_jacobian() const;
  void check_no_second_selection() const;
  run::KernelSpec finished_kernel() const;
  run::SpectrumSpec finished_spectrum(const CLI::App& app) const;
  run::PredictSpec finished_predict() const;
  run::InfiniteSpec finished_infinite() const;
  /// A specification with what is common to all that have a network and data.
  template <class Spec>
  Spec finished(Spec spec) const {
    check_is_no_network(data_.source, "DATA");
    spec.model = model_;
    spec.data = data_;
    spec.precision = common_.chosen_precision(spec.precision);
    spec.resources = common_.resources;
    if constexpr (requires { spec.existing; }) spec.existing = common_.existing();
    return spec;
  }

  CLI::App app_{"tangra: exact per-sample derivatives of neural networks, and their tangent kernels",
                "tangra"};
  std::vector<Command> commands_;
  Common common_;
  load::ModelSpec model_;
  data::DataSpec data_;
  std::vector<std::string> wrt_;  ///< lists of names
  std::string layout_;
  std::string input_form_;
  run::JacobianSpec jacobian_;
  run::ProductSpec product_;
  run::KernelSpec kernel_;
  data::DataSpec data2_;
  run::VerifySpec verify_;
  run::SpectrumSpec spectrum_;
  run::TrainSpec train_;
  run::LineariseSpec linearise_;
  run::PredictSpec predict_;
  std::string ridges_;  ///< with commas between
  run::InfiniteSpec infinite_;
  std::string widths_;  ///< with commas between
  run::ReportSpec page_;
  DataListRequest list_;
  DataShowRequest show_;
};

}  // namespace tangra::cli
