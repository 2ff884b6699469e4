#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tangra/analysis/alignment.h"
#include "tangra/analysis/spectrum.h"
#include "tangra/base/array.h"
#include "tangra/run/spec.h"
#include "tangra/verify/measured_error.h"
#include "tangra/verify/verify.h"

namespace tangra::run {

/// On what a run ran, what it took, and of what.
struct Provenance {
  std::string version;
  std::string machine;      ///< processor, cores
  std::string simd_target;  ///< of the products
  int threads = 0;
  std::size_t memory_budget = 0;
  std::uint64_t model_fingerprint = 0;
  std::vector<std::uint64_t> data_fingerprints;
  std::vector<std::pair<std::string, double>> seconds;  ///< by step, in the order of the steps
  double total_seconds = 0;
  std::size_t peak_bytes = 0;  ///< largest resident set of the process so far, measured
};

/// What is told of a data set.
struct DataSummary {
  std::string name;
  std::string description;
  Index samples = 0;
  Shape shape;  ///< of one sample, as the network takes it
  bool labels = false;
};

/// What is told of a network.
struct ModelSummary {
  std::string name;  ///< file, or "chain"
  std::string text;
  Shape input;
  std::string output_name;
  Shape output;
  Index parameters = 0;  ///< P: entries of what is trained
  Index frozen = 0;      ///< entries of what is not
};

/// tangra summary
struct SummaryResult {
  struct Row {
    std::string name;
    std::string op;
    Shape shape;  ///< of the result, one sample
    std::vector<std::string> parameters;
    Index parameter_count = 0;
  };
  struct ParameterRow {
    std::string name;
    std::string layer;
    Shape shape;
    DType type = DType::float32;
    Index count = 0;
    std::size_t bytes = 0;
    bool trainable = true;
    std::string why;
  };
  ModelSummary model;
  std::vector<Row> layers;
  std::vector<ParameterRow> parameters;
  std::size_t parameter_bytes = 0;
  std::size_t activation_bytes = 0;  ///< of one sample, in the model's own precision
};

/// tangra jacobian, jvp, vjp, and outputs
struct ArraysResult {
  std::string command;  ///< jacobian, jvp, vjp or outputs
  ModelSummary model;
  DataSummary data;
  std::vector<NamedArray> arrays;  ///< as written to the file, in its order
  std::vector<std::string> notes;  ///< what the arrays are, in words
  std::string out;
  std::string precision;
  Provenance provenance;
};

/// What an order of contraction takes for one line of a plan, over the whole kernel.
struct OrderRow {
  std::string order;
  double multiply_adds = 0;  ///< explicit rows and pairs
  double bytes = 0;          ///< of the factors of all samples
};

/// One line of a kernel's plan.
struct PlanRow {
  std::string parameter;
  std::string part;
  std::string order;
  std::string reason;
  double multiply_adds = 0;        ///< for one pair of samples
  double total_multiply_adds = 0;  ///< over the whole kernel, explicit rows too
  double bytes = 0;                ///< of the factors of all samples
  std::optional<double> seconds = {};  ///< where the machine's rates are known
  std::vector<OrderRow> orders = {};  ///< all that apply
};

/// A step of a kernel, as it is told beforehand.
struct ExpectedStep {
  std::string step;  ///< forward, reverse, packing, contraction
  double multiply_adds = 0;
  double bytes = 0;  ///< read and written
  std::optional<double> seconds = {};  ///< where the machine's rates are known
};

/// What a run is expected to take, from the rates of the machine and the sweeps of a few samples.
struct Prediction {
  double factor_seconds = 0;       ///< sweeps, of all samples and as often as the groups ask for
  double contraction_seconds = 0;
  double write_seconds = 0;        ///< of stored_bytes, at write_rate
  double write_rate = 0;           ///< bytes in a second
  std::string written_to;          ///< "memory", or the folder on whose disk the rate was measured
  double multiply_adds_rate = 0;   ///< in a second, of all threads
  std::size_t kernel_bytes = 0;    ///< of all parts
  std::size_t stored_bytes = 0;    ///< of them, what is kept in memory or on the disk: perhaps one triangle
  std::size_t factor_bytes = 0;    ///< held at once, with the memory to work in
  std::size_t peak_bytes = 0;      ///< of the whole process, the kernel included where it is in memory
  Index tiles = 0;
  /// A disk works beside the contraction, memory does not.
  double seconds() const {
    return factor_seconds + (written_to == "memory" ? contraction_seconds + write_seconds : std::max(contraction_seconds, write_seconds));
  }
};

/// What can be said of a kernel without its eigenvalues.
struct KernelStatistics {
  double trace = 0;
  double smallest_diagonal = 0;
  double largest_diagonal = 0;
  double largest_entry = 0;  ///< in absolute value
  std::vector<std::vector<double>> corner;  ///< the first rows and columns
};

/// What a resumed run found: its places, each with the tiles of all parts and planes.
struct Resumed {
  Index tiles = 0;
  Index found = 0;  ///< of them, left by an earlier run
};

/// tangra kernel
struct KernelResult {
  KernelSpec requested;
  ModelSummary model;
  DataSummary data;
  std::optional<DataSummary> data2;
  std::string reduce;      ///< as used
  std::string conventions;  ///< in words: what an entry is
  std::string method;
  std::string precision;  ///< float32 or float64
  Shape shape;
  std::vector<std::string> axes;
  std::vector<std::string> parts;  ///< in the order of the file, "total" last
  std::vector<double> part_traces;  ///< the trace of each part (its share in the total)
  std::vector<PlanRow> plan;
  Index block_samples = 0;
  Index groups = 1;
  double multiply_adds = 0;  ///< of all contractions
  std::vector<ExpectedStep> expected;  ///< from the shapes; empty where no tiles are made
  std::size_t expected_peak_bytes = 0;  ///< of the process, from the shapes and what it held before; 0 where no tiles are made
  KernelStatistics statistics;
  std::optional<verify::MeasuredError> measured_error;  ///< of float32 runs
  std::string not_measured;  ///< of float32 runs without it: why, in words
  std::string out;
  std::string triangle;            ///< that the file holds: "lower" or "full"
  std::optional<Resumed> resumed;  ///< where there was something to go on with
  std::vector<NamedArray> arrays;  ///< the parts, where no file was asked for
  Provenance provenance;
};

/// tangra plan: a kernel that was not computed.
struct PlanResult {
  KernelResult kernel;  ///< what is known of it before: shape, plan, blocks, groups
  Prediction predicted;
};

/// tangra verify
struct VerifyRunResult {
  ModelSummary model;
  DataSummary data;
  std::string reduce;
  verify::VerifyResult result;
  Provenance provenance;
};

/// How a kernel stands to the labels of its samples.
struct LabelFit {
  Index classes = 0;
  analysis::Alignment alignment;
  analysis::LabelShares shares;  ///< along the eigenvectors that are listed; a column for each class
};

/// Eigenvalues counted between neighbouring edges.
struct DensityCounts {
  std::vector<double> edges;   ///< ascending
  std::vector<double> counts;  ///< one fewer
  double below = 0;            ///< eigenvalues below the first edge
  bool estimated = false;      ///< by Lanczos quadrature; else counted
};

/// tangra spectrum
struct SpectrumResult {
  std::string source;
  std::string error_source;  ///< in words: where the error of the entries is known from
  Shape shape;               ///< of the kernel
  Index top = 0;
  std::string space = "samples";  ///< or "parameters": J^T J, which has the same eigenvalues but for zeros
  bool stored = true;             ///< K was formed; else it was applied only
  std::string precision;          ///< of the kernel's arithmetic; of a file, the type of its entries
  analysis::Spectrum spectrum;
  double frobenius_error = 0;  ///< standard error of an estimate, 0 where it is exact
  std::optional<LabelFit> labels;
  std::string labels_note;  ///< why there is none
  std::optional<DensityCounts> density;
  std::string out;
  Provenance provenance;
};

/// One ridge of several.
struct RidgeRow {
  double ridge = 0;
  bool solved = false;
  double degrees_of_freedom = 0;
  double training_error = 0;
  double leave_one_out = 0;
  std::optional<double> leave_one_out_accuracy = {};
  std::optional<double> accuracy = {};  ///< on the test samples
};

/// tangra predict. Errors are half the squared distance to the targets, mean over samples.
struct PredictResult {
  ModelSummary model;
  DataSummary train;
  DataSummary test;
  std::string reduce;  ///< as used
  std::string form;    ///< in words: which kernel predicts which output
  std::string solver;  ///< "Cholesky", "conjugate gradients"
  std::string prior;   ///< "zero", "network"
  std::string precision;
  Index size = 0;     ///< of the linear system
  Index columns = 0;  ///< outputs that are predicted
  bool labelled = false;  ///< the targets are classes
  bool converged = true;
  std::string message;  ///< about jitter, or what did not converge
  double ridge = 0;
  double mean_diagonal = 0;  ///< of K: what the ridge is to be compared with; NaN without K
  double jitter = 0;
  Index iterations = 0;               ///< of conjugate gradients
  std::vector<double> solver_residuals;  ///< |y - M alpha| / |y|, by column, of conjugate gradients
  double training_error = 0;
  std::optional<double> training_accuracy;
  std::optional<double> leave_one_out;
  std::optional<double> leave_one_out_accuracy;
  std::optional<double> log_likelihood;
  std::optional<double> accuracy;          ///< on the test samples, where they have labels
  std::optional<double> test_error;        ///< likewise
  std::optional<double> network_accuracy;  ///< of the network's own outputs on the test samples
  std::optional<double> mean_variance;
  std::vector<RidgeRow> path;  ///< where several ridges were given
  std::vector<NamedArray> arrays;  ///< "mean" (M, O), "variance" (M, O) or for the full kernel (M, O, O); without a file
  std::string out;
  Provenance provenance;
};

/// How far the kernel of a finite network is from the closed form.
struct FiniteComparison {
  double distance = 0;  ///< |K - Theta|_F / |Theta|_F
  double largest = 0;   ///< of a single entry, relative to the largest one
  std::string precision;
};

/// The slope of log y over log x by least squares, x being widths: of means of log y where a width has several values.
struct WidthSlope {
  double slope = 0;
  double error = 0;  ///< standard error, from the scatter of the values about the line
};
WidthSlope slope_of(const std::vector<std::pair<Index, double>>& values);

/// tangra infinite
struct InfiniteResult {
  ModelSummary model = {};
  DataSummary data = {};
  std::optional<DataSummary> data2 = {};
  std::string kind = {};         ///< "ntk", "nngp"
  std::string conventions = {};  ///< in words: what an entry is
  struct Layer {
    std::string name;
    Index in = 0;
    Index out = 0;
    double sigma_w = 0;  ///< standard deviation of the pre-activations from inputs of mean square 1
    double sigma_b = 0;
    std::string activation;
  };
  std::vector<Layer> layers = {};
  KernelStatistics statistics = {};
  Shape shape = {};
  std::optional<FiniteComparison> comparison = {};
  /// Distances of finite networks of other widths, by width, several seeds each.
  std::vector<std::pair<Index, double>> convergence = {};
  std::optional<WidthSlope> slope = {};
  std::string out = {};
  std::vector<NamedArray> arrays = {};  ///< without a file
  Provenance provenance = {};
};

}  // namespace tangra::run
