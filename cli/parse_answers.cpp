#include <charconv>

#include "parser.h"
#include "training_options.h"

namespace tangra::cli {
namespace {

double parse_number(const std::string& text, std::string_view option) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec == std::errc() && read.ptr == end) return value;
  throw Error(ErrorKind::usage, {.what = "this is no number",
                                 .where = std::string(option),
                                 .got = text,
                                 .expected = "such as 0.1 or 1e-3, several with commas between",
                                 .cure = {}});
}

Index parse_count(const std::string& text, std::string_view option) {
  Index value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec == std::errc() && read.ptr == end && value > 0) return value;
  throw Error(ErrorKind::usage, {.what = "this is no width",
                                 .where = std::string(option),
                                 .got = text,
                                 .expected = "whole numbers above 0, with commas between",
                                 .cure = {}});
}

}  // namespace

void Commands::add_predict() {
  CLI::App& app = add("predict", "kernel regression with the tangent kernel", help::predict);
  run::PredictSpec& spec = predict_;
  add_model(app, model_);
  app.add_option("TRAIN", data_.source, help::samples)->required()->type_name("");
  app.add_option("TEST", data2_.source, "samples to predict; may be the same set with --samples2")
      ->required()
      ->type_name("");
  app.add_option("--reduce", spec.reduce, help::reduce)->type_name("R");
  app.add_option("--ridge", ridges_, "added to the diagonal of K; several with commas between")
      ->required()
      ->type_name("L");
  on_text(
      app, "--prior",
      [&spec](const std::string& text) {
        spec.prior = choose<run::PriorMean>(
            text, "--prior", {{"zero", run::PriorMean::zero}, {"network", run::PriorMean::network}});
      },
      "zero (default), or network: the kernel corrects the network's own outputs", "NAME");
  on_text(
      app, "--solver",
      [&spec](const std::string& text) {
        spec.solver = choose<run::Solver>(text, "--solver",
                                          {{"auto", run::Solver::automatic},
                                           {"cholesky", run::Solver::cholesky},
                                           {"cg", run::Solver::conjugate_gradients}});
      },
      "auto (default), cholesky, or cg: conjugate gradients without K", "NAME");
  app.add_option("--targets", spec.targets, ".npy or .csv of (N, outputs) numbers in place of labels")
      ->type_name("FILE");
  app.add_flag("--variance", spec.variance, "the variance of every prediction too");
  add_precision(app, common_, help::precision);
  add_output(app, spec.out, common_, ".npy or .csv of the predictions (M, outputs); .npz with the variances");
  add_report(app, common_);
  add_model_options(app, model_);
  add_data_options(app, data_);
  add_test_options(app, data2_);
  add_resources(app, common_);
  commands_.push_back({&app, [this] { return Request(finished_predict()); }});
}

run::PredictSpec Commands::finished_predict() const {
  check_is_no_network(data_.source, "TRAIN");
  check_is_no_network(data2_.source, "TEST");
  run::PredictSpec spec = predict_;
  spec.model = model_;
  spec.train = data_;
  spec.test = finished_test(data_, data2_);
  for (const std::string& ridge : parse_names(ridges_, "--ridge"))
    spec.ridges.push_back(parse_number(ridge, "--ridge"));
  spec.precision = common_.chosen_precision(spec.precision);
  spec.resources = common_.resources;
  spec.existing = common_.existing();
  return spec;
}

void Commands::add_infinite() {
  CLI::App& app = add("infinite", "closed forms of kernels of infinite width", help::infinite);
  run::InfiniteSpec& spec = infinite_;
  add_model(app, model_);
  add_data(app, data_);
  app.add_option("DATA2", data2_.source, "train x test: samples of the kernel's columns")->type_name("");
  on_text(
      app, "--kind",
      [&spec](const std::string& text) {
        spec.kind = choose<run::InfiniteKind>(
            text, "--kind", {{"ntk", run::InfiniteKind::ntk}, {"nngp", run::InfiniteKind::nngp}});
      },
      "ntk (default): the tangent kernel; nngp: the covariance of the outputs", "NAME");
  app.add_flag("--compare", spec.compare, "with the kernel of the finite network, at its widths and seed");
  app.add_option("--widths", widths_, "compare with networks of these hidden widths, and tell the slope")->type_name("W,..");
  app.add_option("--seeds", spec.seeds, "how many networks of each width; default 3")->type_name("N");
  add_output(app, spec.out, common_, ".npy; without it only the table");
  add_report(app, common_);
  add_model_options(app, model_);
  add_data_options(app, data_);
  add_test_options(app, data2_);
  add_resources(app, common_);
  commands_.push_back({&app, [this] { return Request(finished_infinite()); }});
}

run::InfiniteSpec Commands::finished_infinite() const {
  check_is_no_network(data_.source, "DATA");
  run::InfiniteSpec spec = infinite_;
  if (!widths_.empty()) {
    for (const std::string& width : parse_names(widths_, "--widths")) spec.widths.push_back(parse_count(width, "--widths"));
  }
  spec.model = model_;
  spec.data = data_;
  if (data2_.source.empty()) {
    check_no_second_selection();
  } else {
    check_is_no_network(data2_.source, "DATA2");
    spec.data2 = finished_test(data_, data2_);
  }
  spec.resources = common_.resources;
  spec.existing = common_.existing();
  return spec;
}

void Commands::add_report_page() {
  CLI::App& app = add("report", "one HTML page from the results of other commands", help::report);
  run::ReportSpec& spec = page_;
  app.add_option("RUN", spec.sources, ".json of runs, kernels (.npy, .npz, .zarr), or folders of them")->required()->type_name("");
  add_output(app, spec.out, common_, ".html: the page");
  app.add_option("--labels", spec.labels_file, "of the samples of kernels, where their .json names no data that have some")->type_name("FILE");
  app.add_option("--data-dir", spec.data_dir, "where data sets are looked for first; then in TANGRA_DATA")->type_name("FOLDER");
  add_report(app, common_);
  add_resources(app, common_);
  commands_.push_back({&app, [this] {
                         run::ReportSpec report = page_;
                         report.resources = common_.resources;
                         report.existing = common_.existing();
                         return Request(report);
                       }});
}

}  // namespace tangra::cli
