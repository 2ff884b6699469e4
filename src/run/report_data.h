#pragma once
// What the page of `tangra report` shows, read from the files of earlier runs.
#include "tangra/run/result.h"
#include "tangra/run/run.h"

namespace tangra::run {

/// tangra report
struct ReportSpec {
  std::vector<std::string> sources;  ///< .json, .npy, .npz or .zarr of runs, or folders of them
  std::string out;                   ///< .html
  std::string labels_file;           ///< of the samples of kernels; empty: of the data that their .json names
  std::string data_dir;              ///< where named data sets are looked for first
  Index most_rows = 2000;            ///< kernels up to this size get their eigenvalues computed
  ExistingFile existing = ExistingFile::refuse;
  Resources resources;
  void validate() const;
};

/// A kernel as a picture: every pixel is the mean of the entries below it.
struct HeatMap {
  Index rows = 0;  ///< of the matrix
  Index columns = 0;
  Index height = 0;  ///< in pixels
  Index width = 0;
  std::vector<double> pixels;  ///< height x width, the first row at the top; NaN where an entry is
  double low = 0;              ///< the 2nd and the 98th percentile of the pixels: what the colours span
  double high = 0;
  /// Neighbouring rows (and columns, where the kernel is symmetric) of one class.
  struct Band {
    Index label = 0;
    double begin = 0;  ///< as a share of the side, 0 to 1
    double end = 0;
  };
  std::vector<Band> row_bands;  ///< empty: samples in the order of the data
  std::vector<Band> column_bands;
};

/// One run of a report.
struct ReportRun {
  std::string name;     ///< the file, relative to the folder that was given
  std::string command;  ///< "kernel", "spectrum", ...
  std::string json;     ///< the object as the run wrote it; "{}" for a kernel that stands alone
  std::optional<HeatMap> picture;
  std::optional<SpectrumResult>
      spectrum;  ///< of a stored kernel that no other run of the report has the eigenvalues of
  std::vector<std::string> notes;  ///< what could not be shown, and why
};

/// A quantity that falls with the width of networks, from runs that differ in it.
struct WidthPlot {
  std::string what;      ///< in words
  std::string expected;  ///< what theory says of the slope
  struct Point {
    Index width = 0;
    double value = 0;
  };
  std::vector<Point> points;        ///< by ascending width
  std::optional<WidthSlope> slope;  ///< where there are two widths or more
};

struct ReportResult {
  std::vector<ReportRun> runs;
  std::vector<WidthPlot> plots;
  std::vector<std::string> left_out;  ///< files of folders that are no results, and why
  std::string out;
  Provenance provenance;
};

/// Reads the runs. Writes nothing: the page is made by the room report. Throws Error(input) where there is no
/// run, or a file that was named is none; Error(usage) for contradictions.
ReportResult run_report(const ReportSpec& spec, const Caller& caller = {});

}  // namespace tangra::run
