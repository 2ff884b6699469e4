#include <algorithm>
#include <iterator>
#include <set>

#include "parser.h"

namespace tangra::cli {
namespace {

/// Whether one begins the other, or their letters in any order differ by one at most.
bool alike(std::string typed, std::string name) {
  if (typed.size() > 1 && name.starts_with(typed)) return true;
  std::ranges::sort(typed);
  std::ranges::sort(name);
  std::string common;
  std::ranges::set_intersection(typed, name, std::back_inserter(common));
  const std::size_t longer = std::max(typed.size(), name.size());
  return longer > 2 && common.size() + 1 >= longer;
}

}  // namespace

/// Throws Error(usage) where a network was written in the place of data.
void check_is_no_network(const std::string& source, const char* place) {
  if (!load::is_chain_text(source) && !source.ends_with(".onnx")) return;
  throw Error(ErrorKind::usage, {.what = "a network stands where data belong",
                                 .where = place,
                                 .got = source,
                                 .expected = "a file or the name of a data set",
                                 .cure = "MODEL comes first, then DATA"});
}

Commands::Commands() {
  app_.require_subcommand(1);
  app_.set_help_flag("-h,--help", "print this help and leave");  // commands take it over
  app_.footer(help::overview);
  app_.set_version_flag("--version", std::string("tangra ") + TANGRA_VERSION, "print the version and leave");
  app_.get_formatter()->column_width(32);
  add_summary();
  add_jacobian();
  add_product(true);
  add_product(false);
  add_kernel(false);
  add_kernel(true);
  add_verify();
  add_spectrum();
  add_predict();
  add_train();
  add_linearise();
  add_infinite();
  add_report_page();
  add_data_sets();
}

CLI::App& Commands::add(const std::string& name, const std::string& description, const char* footer) {
  CLI::App& app = *app_.add_subcommand(name, description);
  app.footer(footer);
  return app;
}

void Commands::add_summary() {
  CLI::App& app = add("summary", "layers, shapes, parameters and bytes of a network", help::summary);
  add_model(app, model_);
  add_report(app, common_);
  add_model_options(app, model_);
  commands_.push_back({&app, [this] { return Request(run::SummarySpec{.model = model_}); }});
}

void Commands::add_jacobian() {
  CLI::App& app = add("jacobian", "Jacobians, sample by sample", help::jacobian);
  add_model(app, model_);
  add_data(app, data_);
  app.add_option("--wrt", wrt_, "by what: parameters (default), input, or names, with commas between")
      ->allow_extra_args(false)
      ->option_text("NAME,..");
  app.add_option("--of", jacobian_.of, "of what: output (default), or a value's name")->type_name("NAME");
  app.add_option("--layout", layout_, "dense (default) or structured: the factors whose product is J")
      ->type_name("NAME");
  app.add_option("--input-form", input_form_,
                 "of input Jacobians: blocks (default), (N, O, features); full,\n"
                 "(N, O, features, N) with its zeros; summed over outputs, (N, features)")
      ->type_name("NAME");
  add_precision(app, common_, help::precision);
  add_output(app, jacobian_.out, common_, ".npz; without it only the table");
  add_report(app, common_);
  add_model_options(app, model_);
  add_data_options(app, data_, "--data-layout");
  add_resources(app, common_);
  commands_.push_back({&app, [this] { return Request(finished_jacobian()); }});
}

run::JacobianSpec Commands::finished_jacobian() const {
  run::JacobianSpec spec = finished(jacobian_);
  if (!wrt_.empty()) spec.wrt.clear();
  for (const std::string& names : wrt_)
    std::ranges::move(parse_names(names, "--wrt"), std::back_inserter(spec.wrt));
  if (!layout_.empty()) {
    spec.layout = choose<run::JacobianLayout>(
        layout_, "--layout",
        {{"dense", run::JacobianLayout::dense}, {"structured", run::JacobianLayout::structured}});
  }
  if (!input_form_.empty()) {
    spec.input_form = choose<run::InputForm>(input_form_, "--input-form",
                                             {{"blocks", run::InputForm::blocks},
                                              {"full", run::InputForm::full},
                                              {"summed", run::InputForm::summed}});
  }
  return spec;
}

void Commands::add_product(bool forward) {
  CLI::App& app = forward
                      ? add("jvp", "J v: how the outputs move with the parameters or the input", help::jvp)
                      : add("vjp", "u^T J: what the outputs ask of the parameters", help::vjp);
  add_model(app, model_);
  add_data(app, data_);
  app.add_option(forward ? "--tangent" : "--cotangent", product_.directions,
                 forward ? ".npz with tangents by name" : ".npy of (N, outputs)")
      ->required()
      ->type_name("FILE");
  add_precision(app, common_, help::precision);
  add_output(app, product_.out, common_,
             forward ? ".npy or .npz; without it only the table" : ".npz; without it only the table");
  add_report(app, common_);
  add_model_options(app, model_);
  add_data_options(app, data_);
  add_resources(app, common_);
  commands_.push_back({&app, [this, forward] {
                         run::ProductSpec spec = finished(product_);
                         spec.forward = forward;
                         return Request(spec);
                       }});
}

void Commands::add_kernel_choices(CLI::App& app) {
  app.add_option("--reduce", kernel_.reduce, help::reduce)->type_name("R");
  app.add_option("--basis", kernel_.basis, ".npy of (R, O) or (N, R, O): cotangents in place of the outputs")
      ->type_name("FILE");
  on_text(
      app, "--space",
      [this](const std::string& text) {
        kernel_.space = choose<run::Space>(
            text, "--space", {{"samples", run::Space::samples}, {"parameters", run::Space::parameters}});
      },
      "samples (default): J J^T; parameters: J^T J", "NAME");
  on_text(
      app, "--method",
      [this](const std::string& text) {
        kernel_.method = choose<run::Method>(text, "--method",
                                             {{"auto", run::Method::automatic},
                                              {"structured", run::Method::structured},
                                              {"jacobian", run::Method::jacobian},
                                              {"product", run::Method::product}});
      },
      "auto (default), structured, jacobian or product", "NAME");
  add_precision(app, common_, help::precision);
}

void Commands::add_kernel(bool planned) {
  CLI::App& app = planned ? add("plan", "what kernel would do with the same arguments", help::plan)
                          : add("kernel", "the neural tangent kernel", help::kernel);
  add_model(app, model_);
  add_data(app, data_);
  app.add_option("DATA2", data2_.source, "train x test: samples of the kernel's columns")->type_name("");
  add_kernel_choices(app);
  on_text(
      app, "--by",
      [this](const std::string& text) {
        kernel_.by = choose<run::By>(
            text, "--by",
            {{"total", run::By::total}, {"layer", run::By::layer}, {"parameter", run::By::parameter}});
      },
      "total (default), layer or parameter: the kernel in parts, as .npz or .zarr", "NAME");
  on_text(
      app, "--pairs",
      [this](const std::string& text) {
        kernel_.pairs =
            choose<run::Pairs>(text, "--pairs", {{"all", run::Pairs::all}, {"self", run::Pairs::self}});
      },
      "all (default), or self: each sample with itself alone", "NAME");
  app.add_option("--conjugate", kernel_.conjugate, "the Gram matrix of a layer's activations instead")
      ->type_name("NAME");
  add_output(app, kernel_.out, common_, ".npy, .npz or .zarr; without it only the table");
  app.add_flag("--resume", common_.resume, "go on with a .zarr: compute the chunks that are missing or damaged");
  on_text(
      app, "--triangle",
      [this](const std::string& text) {
        kernel_.triangle = choose<run::Triangle>(
            text, "--triangle", {{"lower", run::Triangle::lower}, {"full", run::Triangle::full}});
      },
      "of a symmetric kernel in a .zarr: lower (default) or full", "NAME");
  add_report(app, common_);
  add_model_options(app, model_);
  add_data_options(app, data_);
  app.add_option("--n2", data2_.n, "the first N samples of DATA2")->type_name("N")->group("Data");
  on_text(
      app, "--samples2",
      [this](const std::string& text) { data2_.samples = parse_range(text, "--samples2"); },
      "samples of DATA2", "a:b")
      ->group("Data");
  add_resources(app, common_);
  commands_.push_back({&app, [this, planned] {
                         run::KernelSpec spec = finished_kernel();
                         return planned ? Request(PlanRequest{std::move(spec)}) : Request(std::move(spec));
                       }});
}

void Commands::check_no_second_selection() const {
  if (!data2_.n && !data2_.samples && data2_.labels_file.empty()) return;
  throw Error(ErrorKind::usage, {.what = "there is no second data set to select from",
                                 .where = data2_.n ? "--n2" : data2_.samples ? "--samples2" : "--labels2",
                                 .got = {},
                                 .expected = {},
                                 .cure = "Name the second set too; it may be the same"});
}

run::KernelSpec Commands::finished_kernel() const {
  if (common_.resume && common_.force) {
    throw Error(ErrorKind::usage, {.what = "one goes on with what is there, the other begins afresh",
                                   .where = "--resume, --force",
                                   .got = "both",
                                   .expected = "one of them",
                                   .cure = {}});
  }
  run::KernelSpec spec = finished(kernel_);
  while (spec.out.size() > 1 && spec.out.ends_with('/')) spec.out.pop_back();  // a shell completes "K.zarr/"
  if (!data2_.source.empty()) {
    check_is_no_network(data2_.source, "DATA2");
    data::DataSpec second = data_;
    second.source = data2_.source;
    second.n = data2_.n;
    second.samples = data2_.samples;
    second.labels_file.clear();
    spec.data2 = std::move(second);
  } else {
    check_no_second_selection();
  }
  return spec;
}

void Commands::add_verify() {
  CLI::App& app = add("verify", "the same kernel in four ways, compared", help::verify);
  add_model(app, model_);
  add_data(app, data_);
  app.add_option("--reduce", verify_.reduce, "as for kernel; default full")->type_name("R");
  add_precision(app, common_, "of the structured method: float64 (default) or float32");
  add_report(app, common_);
  add_model_options(app, model_);
  add_data_options(app, data_);
  add_resources(app, common_);
  commands_.push_back({&app, [this] { return Request(finished(verify_)); }});
}

void Commands::add_spectrum() {
  CLI::App& app = add("spectrum", "eigenvalues of a kernel and what they say of it", help::spectrum);
  app.add_option("KERNEL|MODEL", model_.text, "a .npy or .zarr, or a network with DATA")
      ->required()
      ->type_name("");
  app.add_option("DATA", data_.source, help::samples)->type_name("");
  app.add_option("--top", spectrum_.top, "only the K largest; default all")->type_name("K");
  app.add_flag("--without-k", spectrum_.without_matrix,
               "with --top: never form K (also taken where it does not fit)");
  app.add_flag("--density", spectrum_.density,
               "count eigenvalues by size; where not all are known, an estimate");
  app.add_flag("!--values-only", spectrum_.residuals,
               "no eigenvectors, so no residuals: less time and memory");
  app.add_option("--tolerance", spectrum_.tolerance,
                 "with --top: of residuals, as a share of the largest eigenvalue")
      ->type_name("T");
  add_output(app, spectrum_.out, common_, ".npz of eigenvalues, residuals and eigenvectors");
  add_kernel_choices(app);
  add_report(app, common_);
  add_model_options(app, model_);
  add_data_options(app, data_);
  add_resources(app, common_);
  commands_.push_back({&app, [this, &app] { return Request(finished_spectrum(app)); }});
}

run::SpectrumSpec Commands::finished_spectrum(const CLI::App& app) const {
  static const std::set<std::string> of_files = {"--top",       "--json",    "--progress",    "--threads",
                                                 "--memory",    "--density", "--values-only", "--tolerance",
                                                 "--without-k", "--labels",  "--out",         "--force"};
  run::SpectrumSpec spec = spectrum_;
  spec.resources = common_.resources;
  spec.existing = common_.existing();
  if (!data_.source.empty()) {
    spec.from_model = finished_kernel();
    return spec;
  }
  if (load::is_chain_text(model_.text) || !kernel_.reduce.empty()) {
    throw Error(ErrorKind::usage, {.what = "a network has a kernel on data only",
                                   .where = "spectrum",
                                   .got = "MODEL without DATA",
                                   .expected = "K.npy, K.zarr, or MODEL DATA --reduce R",
                                   .cure = {}});
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0 || option->get_positional() || of_files.contains(option->get_name())) continue;
    throw Error(ErrorKind::usage, {.what = "this belongs to a network and its data, not to a kernel's file",
                                   .where = option->get_name(),
                                   .got = {},
                                   .expected = {},
                                   .cure = "Leave it out, or give MODEL DATA"});
  }
  spec.kernel = model_.text;
  spec.labels_file = data_.labels_file;
  return spec;
}

void Commands::add_data_sets() {
  CLI::App& app = add("data", "the data sets that have a name here", help::data);
  app.require_subcommand(1);
  CLI::App& list = *app.add_subcommand("list", "all of them, and whether they are on this machine");
  list.add_option("--data-dir", list_.data_dir, "where they are looked for first")->type_name("FOLDER");
  list.add_flag("--json", common_.json, "one JSON object in place of the table");
  CLI::App& show =
      *app.add_subcommand("show", "one of them, or a file: shape, licence, classes, the first sample");
  show.add_option("NAME", show_.source, "a name or a file")->required()->type_name("");
  show.add_option("--data-dir", show_.data_dir, "where it is looked for first")->type_name("FOLDER");
  show.add_flag("--json", common_.json, "one JSON object in place of the table");
  commands_.push_back({&list, [this] { return Request(list_); }});
  commands_.push_back({&show, [this] { return Request(show_); }});
}

Request Commands::request() const {
  const auto chosen =
      std::ranges::find_if(commands_, [](const Command& command) { return command.app->parsed(); });
  TANGRA_ENSURE(chosen != commands_.end());
  return chosen->request();
}

bool Commands::knows(const std::string& name) const {
  const auto all = app_.get_subcommands(nullptr);
  return std::ranges::any_of(all, [&](const CLI::App* each) { return each->get_name() == name; });
}

void Commands::refuse_command(const std::string& name) const {
  std::string names;
  std::string meant;
  for (const CLI::App* each : app_.get_subcommands(nullptr)) {
    names += (names.empty() ? "" : ", ") + each->get_name();
    if (alike(name, each->get_name())) meant = "Did you mean " + each->get_name() + "? ";
  }
  throw Error(ErrorKind::usage, {.what = "there is no such command",
                                 .where = name,
                                 .got = {},
                                 .expected = "one of " + names,
                                 .cure = meant + "See tangra --help"});
}

std::string Commands::current() const {
  std::string name = "tangra";
  for (const CLI::App* app = &app_; !app->get_subcommands().empty();) {
    app = app->get_subcommands().front();
    name += " " + app->get_name();
  }
  return name;
}

namespace {

/// The innermost command that was named, and its help.
std::string help_of(CLI::App& app) {
  const CLI::App* innermost = &app;
  std::string parents;
  while (!innermost->get_subcommands().empty()) {
    parents += (parents.empty() ? "" : " ") + innermost->get_name();
    innermost = innermost->get_subcommands().front();
  }
  std::string text = innermost->help(parents);
  for (std::size_t at = text.find("\n\n\n"); at != std::string::npos; at = text.find("\n\n\n"))
    text.erase(at, 1);
  return text;
}

}  // namespace

std::variant<Options, Answer> parse(int argc, const char* const* argv) {
  Commands commands;
  const std::string first = argc > 1 ? argv[1] : "";
  if (first.empty()) return Answer{2, help_of(commands.app())};
  if (first.front() != '-' && !commands.knows(first)) commands.refuse_command(first);
  try {
    commands.app().parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Answer{0, help_of(commands.app())};
  } catch (const CLI::CallForVersion& version) {
    return Answer{0, std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    return Answer{2, "tangra: " + std::string(error.what()) + ". See " + commands.current() + " --help\n"};
  }
  Options options{.request = commands.request(), .json = commands.common().json};
  options.progress =
      choose<bool>(commands.common().progress, "--progress", {{"auto", true}, {"none", false}});
  return options;
}

}  // namespace tangra::cli
