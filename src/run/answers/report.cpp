#include <algorithm>
#include <cstring>
#include <filesystem>

#include "heat_map.h"
#include "tangra/base/error.h"
#include "tangra/formats/input_file.h"
#include "tangra/formats/json_file.h"
#include "tangra/formats/npz.h"
#include "tangra/formats/zarr/zarr.h"
#include "tangra/run/report_data.h"
#include "tangra/run/session.h"
#include "widths.h"

namespace tangra::run {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_description = std::uint64_t{1} << 28;  // bytes of a .json

bool is_kernel_name(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".npy" || extension == ".npz" || extension == ".zarr";
}

fs::path beside(const fs::path& kernel) {
  return kernel.string() + ".json";
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// A file as it goes into the report: the description of a run, the kernel it wrote, or both.
struct Found {
  std::string name;
  fs::path description;  ///< .json; may be empty
  fs::path kernel;       ///< may be empty
};

/// The kernel that a description belongs to: FILE of FILE.json.
fs::path kernel_of(const fs::path& description) {
  const fs::path bare = description.parent_path() / description.stem();
  return is_kernel_name(bare) && is_there(bare) ? bare : fs::path();
}

class ReportRunner {
 public:
  ReportRunner(const ReportSpec& spec, const Caller& caller)
      : spec_(spec), caller_(caller), session_(spec.resources, caller) {}

  ReportResult run() {
    for (const std::string& source : spec_.sources) collect(kernel::without_slash(source));
    for (const Found& found : found_) read(found);
    if (result_.runs.empty()) {
      throw Error(ErrorKind::input,
                  {.what = "there is no run",
                   .where = spec_.sources.front(),
                   .got = {},
                   .expected = "a .json that tangra wrote (--json, or beside a kernel), or a kernel",
                   .cure = "Keep what a command tells: tangra spectrum K.npy --json > S.json"});
    }
    session_.step("read");
    for (std::size_t k = 0; k < result_.runs.size(); ++k) {
      session_.context().check_cancelled();
      session_.context().report("pictures", static_cast<double>(k), static_cast<double>(result_.runs.size()));
      if (!found_runs_[k].kernel.empty()) show_kernel(result_.runs[k], found_runs_[k]);
    }
    session_.step("pictures");
    result_.plots = width_plots(descriptions_);
    result_.out = spec_.out;
    result_.provenance = session_.provenance(0, {});
    return std::move(result_);
  }

 private:
  void collect(const fs::path& source) {
    std::error_code ignored;
    if (!is_there(source)) {
      throw Error(ErrorKind::input, {.what = "this does not exist",
                                     .where = source.string(),
                                     .got = {},
                                     .expected = "a .json, .npy, .npz or .zarr of a run, or a folder of them",
                                     .cure = {}});
    }
    if (fs::is_directory(source, ignored) && !formats::is_zarr(source)) {
      std::vector<fs::path> files;
      std::error_code failed;
      for (fs::directory_iterator entry(source, failed), end; !failed && entry != end;
           entry.increment(failed)) {
        if (entry->path().extension() == ".json") files.push_back(entry->path());
      }
      if (failed) {
        throw Error(ErrorKind::input, {.what = "this folder cannot be read",
                                       .where = source.string(),
                                       .got = failed.message(),
                                       .expected = {},
                                       .cure = {}});
      }
      std::ranges::sort(files);
      for (const fs::path& file : files)
        add({.name = file.filename().string(), .description = file, .kernel = kernel_of(file)}, true);
    } else if (is_kernel_name(source)) {
      const bool described = is_there(beside(source));
      add({.name = source.filename().string(),
           .description = described ? beside(source) : fs::path(),
           .kernel = source},
          false);
    } else {
      add({.name = source.filename().string(), .description = source, .kernel = kernel_of(source)}, false);
    }
  }

  /// Files of folders may be of other programs; those that were named may not.
  void add(Found found, bool of_folder) {
    const auto same = [&found](const Found& other) {
      return other.description == found.description && other.kernel == found.kernel;
    };
    if (std::ranges::any_of(found_, same)) return;
    if (of_folder) {
      try {
        const formats::JsonFile file(found.description);
        if (!file.text("/command")) {
          result_.left_out.push_back(found.name + ": no result of a command");
          return;
        }
      } catch (const Error& error) {
        result_.left_out.push_back(found.name + ": " + error.complaint().what);
        return;
      }
    }
    found_.push_back(std::move(found));
  }

  void read(const Found& found) {
    ReportRun run{
        .name = found.name, .command = "kernel", .json = "{}", .picture = {}, .spectrum = {}, .notes = {}};
    std::shared_ptr<const formats::JsonFile> description;
    if (!found.description.empty()) {
      const formats::InputFile file(found.description);
      if (file.size() > largest_description) {
        throw Error(ErrorKind::input, {.what = "this is too large for the description of a run",
                                       .where = file.name(),
                                       .got = human_bytes(file.size()),
                                       .expected = human_bytes(largest_description) + " at most",
                                       .cure = {}});
      }
      run.json = file.read_all();
      description = std::make_shared<formats::JsonFile>(found.description);
      const auto command = description->text("/command");
      if (!command) {
        throw Error(ErrorKind::input, {.what = "this is no result of a command",
                                       .where = found.description.string(),
                                       .got = "no field \"command\"",
                                       .expected = "what tangra writes with --json",
                                       .cure = {}});
      }
      run.command = *command;
    } else {
      run.notes.push_back("there is no " + beside(found.kernel).filename().string() +
                          ": nothing is known of how this kernel was made");
    }
    result_.runs.push_back(std::move(run));
    descriptions_.push_back(std::move(description));
    found_runs_.push_back(found);
  }

  /// The labels of the data that the description names; empty, with a note, where they cannot be had.
  std::vector<Index> labels_of(const std::string& field, Index samples, std::size_t place,
                               std::vector<std::string>& notes) const {
    try {
      if (!spec_.labels_file.empty() && field == "data") return data::load_labels(spec_.labels_file, samples);
      const auto& description = descriptions_[place];
      const auto source = description ? description->text("/requested/" + field + "/source") : std::nullopt;
      if (!source) return {};
      data::DataSpec data{.source = *source, .data_dir = spec_.data_dir};
      if (const auto n = description->number("/requested/" + field + "/n")) data.n = static_cast<Index>(*n);
      if (const auto range = description->integers("/requested/" + field + "/samples");
          range && range->size() == 2)
        data.samples = {range->front(), range->back()};
      auto labels = data::selected_labels(data).value_or(std::vector<Index>());
      if (static_cast<Index>(labels.size()) == samples) return labels;
      notes.push_back("samples are not sorted by class: " + *source + " has no labels for them");
    } catch (const Error& error) {
      if (!spec_.labels_file.empty()) throw;
      notes.push_back("samples are not sorted by class: " + error.complaint().what + ", " +
                      error.complaint().where);
    }
    return {};
  }

  void show_kernel(ReportRun& run, const Found& found) {
    const auto place = static_cast<std::size_t>(&run - result_.runs.data());
    try {
      if (found.kernel.extension() == ".npz") return show_parts(run, found, place);
      const kernel::KernelFile file(found.kernel);
      const Shape& shape = file.shape();
      if (shape.rank() != 2 && shape.rank() != 4) {
        run.notes.push_back("no picture: the shape " + to_string(shape) + " is no matrix");
        return;
      }
      const Index n1 = shape[0], n2 = shape[shape.rank() / 2];
      const PictureLabels labels = picture_labels(n1, n2, place, run.notes);
      run.picture = heat_map(file, labels, session_.context());
      const bool symmetric = !has_two_sets(place) && run.picture->rows == run.picture->columns;
      if (symmetric) find_eigenvalues(run, found, labels.rows);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted || descriptions_[place] == nullptr ||
          !spec_.labels_file.empty())
        throw;
      run.notes.push_back("no picture: " + error.complaint().what + ", " + error.complaint().where);
    }
  }

  bool has_two_sets(std::size_t place) const {
    return descriptions_[place] && descriptions_[place]->text("/requested/data2/source").has_value();
  }

  PictureLabels picture_labels(Index rows, Index columns, std::size_t place, std::vector<std::string>& notes) {
    PictureLabels labels;
    labels.rows = labels_of("data", rows, place, notes);
    if (has_two_sets(place)) labels.columns = labels_of("data2", columns, place, notes);
    else if (rows == columns) labels.columns = labels.rows;
    return labels;
  }

  void show_parts(ReportRun& run, const Found& found, std::size_t place) {
    const Array array = formats::read_npz(found.kernel, "total");
    if (array.shape().rank() != 2) {
      run.notes.push_back("no picture: the shape " + to_string(array.shape()) +
                          " of total is no matrix of samples");
      return;
    }
    const Tensor<double> entries = array.converted<double>();
    const Index n1 = entries.shape()[0], n2 = entries.shape()[1];
    run.picture = heat_map(matrix<const double>(entries.data(), n1, n2), picture_labels(n1, n2, place, run.notes));
  }

  /// Of a small kernel whose spectrum no run of the report tells.
  void find_eigenvalues(ReportRun& run, const Found& found, const std::vector<Index>& labels) const {
    for (const auto& other : descriptions_) {
      if (!other || other->text("/command") != "spectrum") continue;
      const auto source = other->text("/source");
      if (source && kernel::without_slash(*source).filename() == found.kernel.filename()) return;
    }
    if (run.picture->rows > spec_.most_rows) {
      run.notes.push_back("eigenvalues are not computed for more than " + std::to_string(spec_.most_rows) +
                          " rows: tangra spectrum " + found.kernel.filename().string() +
                          " --json > S.json, and report both");
      return;
    }
    SpectrumSpec spectrum;
    spectrum.kernel = found.kernel.string();
    spectrum.resources = spec_.resources;
    if (!labels.empty()) {
      spectrum.labels_array = Array(DType::int64, Shape{static_cast<Index>(labels.size())}, [&](std::span<std::byte> target) {
        std::memcpy(target.data(), labels.data(), target.size());
      });
    }
    try {
      run.spectrum = run_spectrum(spectrum, caller_);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      run.notes.push_back("no eigenvalues: " + error.complaint().what + ", " + error.complaint().where);
    }
  }

  const ReportSpec& spec_;
  const Caller& caller_;
  Session session_;
  std::vector<Found> found_;
  std::vector<Found> found_runs_;  ///< as result_.runs
  Descriptions descriptions_;      ///< as result_.runs
  ReportResult result_;
};

}  // namespace

void ReportSpec::validate() const {
  if (sources.empty()) {
    throw Error(ErrorKind::usage, {.what = "nothing to report on",
                                   .where = "report",
                                   .got = {},
                                   .expected = "files of runs or a folder of them",
                                   .cure = {}});
  }
  check_out(out, existing, {".html"});
}

ReportResult run_report(const ReportSpec& spec, const Caller& caller) {
  spec.validate();
  return ReportRunner(spec, caller).run();
}

}  // namespace tangra::run
