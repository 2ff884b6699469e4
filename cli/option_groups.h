#pragma once
// Included by parse*.cpp alone: it brings in CLI11. Options that several commands share.
#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "help.h"
#include "tangra/run/spec.h"
#include "values.h"

namespace tangra::cli {

/// What is common to commands and does not stand in a specification.
struct Common {
  bool json = false;
  std::string progress = "auto";
  bool force = false;
  bool resume = false;
  std::string precision;
  run::Resources resources;

  run::ExistingFile existing() const {
    if (resume) return run::ExistingFile::resume;
    return force ? run::ExistingFile::replace : run::ExistingFile::refuse;
  }
  run::Precision chosen_precision(run::Precision otherwise) const {
    if (precision.empty()) return otherwise;
    return choose<run::Precision>(precision, "--precision",
                                  {{"auto", run::Precision::automatic},
                                   {"float32", run::Precision::float32},
                                   {"float64", run::Precision::float64}});
  }
};

/// Calls `use` with the option's text, if the option is given.
inline CLI::Option* on_text(CLI::App& app, const std::string& name,
                            std::function<void(const std::string&)> use, const std::string& description,
                            const std::string& type) {
  return app.add_option_function<std::string>(name, use, description)->type_name(type);
}

inline void add_model(CLI::App& app, load::ModelSpec& model) {
  app.add_option("MODEL", model.text, help::model)->required()->type_name("");
}

inline void add_data(CLI::App& app, data::DataSpec& data) {
  app.add_option("DATA", data.source, help::samples)->required()->type_name("");
}

inline void add_model_options(CLI::App& app, load::ModelSpec& model) {
  const auto add = [&app](const std::string& name, auto& value, const std::string& type,
                          const std::string& description) {
    app.add_option(name, value, description)->type_name(type)->group("Network");
  };
  add("--init", model.init, "NAME", help::initialisers);
  const auto use_seed = [&model](const std::string& text) { model.seed = parse_seed(text, "--seed"); };
  on_text(app, "--seed", use_seed, "of the random parameters; default 0", "N")->group("Network");
  add("--parameterization", model.parameterization, "NAME", help::parameterization);
  add("--weights", model.weights, "FILE", "parameters from an .npz or .safetensors file, in place of drawn ones");
  const auto use_shape = [&model](const std::string& text) {
    model.input_shape = parse_shape(text, "--input-shape");
  };
  on_text(app, "--input-shape", use_shape, help::input_shape, "C,H,W")->group("Network");
  add("--params", model.params, "REGEX", "only parameters whose names match are trained");
  add("--buffers", model.buffers, "REGEX", "parameters whose names match are not trained");
  add("--output", model.output, "NAME", "the output to differentiate, of a network that has several");
  const auto use_batch = [&model](const std::string& text) {
    model.batch = choose<std::string>(text, "--batch", {{"auto", ""}, {"none", "none"}});
  };
  on_text(app, "--batch", use_batch,
          "none: the .onnx file's inputs have no axis of samples, each is one sample", "NAME")
      ->group("Network");
}

/// `layout_options` are the names of the option that tells the order of a picture's axes.
inline void add_data_options(CLI::App& app, data::DataSpec& data,
                             const std::string& layout_options = "--data-layout,--layout") {
  const auto add = [&app](const std::string& name, auto& value, const std::string& type,
                          const std::string& description) {
    app.add_option(name, value, description)->type_name(type)->group("Data");
  };
  const auto use_samples = [&data](const std::string& text) {
    data.samples = parse_range(text, "--samples");
  };
  const auto use_layout = [&data](const std::string& text) {
    data.nhwc = choose<bool>(text, "--data-layout", {{"nchw", false}, {"nhwc", true}});
  };
  add("--n", data.n, "N", "the first N samples");
  on_text(app, "--samples", use_samples, "samples a up to and without b", "a:b")->group("Data");
  add("--data-dir", data.data_dir, "FOLDER", "where data sets are looked for first; then in TANGRA_DATA");
  add("--scale", data.scale, "F", "factor for the raw values, in place of the set's own");
  add("--normalize", data.normalize, "MEAN[,..]:STD[,..]", "(x - MEAN) / STD, one each or one per channel");
  on_text(app, layout_options, use_layout, "order of the axes of pictures in a file: nchw (default) or nhwc",
          "NAME")
      ->group("Data");
  add("--labels", data.labels_file, "FILE", "labels from a file, in place of the set's own");
}

inline void add_precision(CLI::App& app, Common& common, const std::string& description) {
  app.add_option("--precision", common.precision, description)->type_name("NAME");
}

inline void add_output(CLI::App& app, std::string& out, Common& common, const std::string& description) {
  app.add_option("-o,--out", out, description)->type_name("FILE");
  app.add_flag("--force", common.force, "replace the file where it exists");
}

inline void add_resources(CLI::App& app, Common& common) {
  const auto in_range = [](const std::string& text) {
    const bool fits = CLI::Range(1, 1024)(text).empty();
    return fits ? std::string() : "--threads takes a number from 1 to 1024, got " + text;
  };
  const auto use_memory = [&common](const std::string& text) {
    common.resources.memory = parse_bytes(text, "--memory");
  };
  app.add_option("--threads", common.resources.threads, "default: one for each core")
      ->check(in_range)
      ->type_name("N")
      ->group("Resources");
  on_text(app, "--memory", use_memory, "what the process may hold, such as 4GiB; default: 80% of what is free",
          "SIZE")
      ->group("Resources");
}

inline void add_report(CLI::App& app, Common& common) {
  app.add_flag("--json", common.json, "one JSON object on standard output in place of the table");
  app.add_option("--progress", common.progress, "auto or none")->type_name("NAME");
}

}  // namespace tangra::cli
