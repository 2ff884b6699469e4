#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tangra/data/data_set.h"
#include "tangra/load/model.h"

namespace tangra::run {

enum class Precision { automatic, float32, float64 };
enum class ExistingFile {
  refuse,
  replace,
  resume,  ///< of a kernel in a .zarr: compute what is missing; begin afresh where nothing is there
};

/// What a run may use.
struct Resources {
  int threads = 0;         ///< 0: one for each core
  std::size_t memory = 0;  ///< bytes that the process may hold; 0: what it has, and 80% of what is free when the run starts
  /// Whether the budget is for the whole process. false: for what the run itself takes, in a process that holds other things.
  bool whole_process = true;
};

/// An array with its name in a file.
struct NamedArray {
  std::string name;
  Array array;
};

struct SummarySpec {
  load::ModelSpec model;
  void validate() const;
};

/// The outputs themselves.
struct OutputsSpec {
  load::ModelSpec model;
  data::DataSpec data;
  std::string of = "output";  ///< "output" or the name of a value
  Precision precision = Precision::automatic;
  Resources resources;
  void validate() const;
};

/// Which form a Jacobian by the input is written in.
enum class InputForm {
  blocks,  ///< (N, O, features): what is not zero
  full,    ///< (N, O, features, N): with the zeros between different samples
  summed,  ///< (N, features): the gradient of the summed outputs
};

enum class JacobianLayout { dense, structured };

/// tangra jacobian
struct JacobianSpec {
  load::ModelSpec model;
  data::DataSpec data;
  std::vector<std::string> wrt{"parameters"};  ///< "parameters", "input", names of parameters or hidden values
  std::string of = "output";                   ///< "output" or the name of a value
  JacobianLayout layout = JacobianLayout::dense;
  InputForm input_form = InputForm::blocks;
  Precision precision = Precision::automatic;
  std::string out;  ///< .npz; empty: the result is only summarised
  ExistingFile existing = ExistingFile::refuse;
  Resources resources;
  /// Throws Error(usage) for what contradicts itself, before anything is read.
  void validate() const;
};

/// tangra jvp: tangents by parameter name or "input" in a .npz; tangra vjp: cotangents (N, O) in a .npy. Or either in
/// memory, the cotangents as one array.
struct ProductSpec {
  load::ModelSpec model;
  data::DataSpec data;
  bool forward = true;     ///< jvp; else vjp
  std::string directions;  ///< the file with the tangents or cotangents
  std::vector<NamedArray> direction_arrays;  ///< in place of the file, which then only names them in messages
  Precision precision = Precision::automatic;
  std::string out;
  ExistingFile existing = ExistingFile::refuse;
  Resources resources;
  void validate() const;
};

enum class By { total, layer, parameter };
enum class Pairs { all, self };
enum class Space { samples, parameters };
/// What a .zarr holds of a symmetric kernel.
enum class Triangle {
  automatic,  ///< the lower one where the kernel is symmetric
  lower,
  full,
};
enum class Method {
  automatic,   ///< structured
  structured,  ///< the cheapest order of contraction for each use
  jacobian,    ///< explicit Jacobians, then their Gram matrix
  product,     ///< columns of K as J (J^T e)
};

/// tangra kernel
struct KernelSpec {
  load::ModelSpec model;
  data::DataSpec data;
  std::optional<data::DataSpec> data2;  ///< train x test; else the symmetric kernel of `data`
  std::string reduce;                   ///< as kernel::parse_reduction; may be empty where O = 1 and for `conjugate`
  std::string basis;                    ///< .npy of (R, O) or (N, R, O)
  std::optional<Array> basis_array;     ///< in place of the file, which then only names it in messages
  By by = By::total;
  Pairs pairs = Pairs::all;
  Space space = Space::samples;
  std::string conjugate;  ///< the name of a value: the Gram matrix of its activations in place of the kernel
  Method method = Method::automatic;
  Precision precision = Precision::automatic;
  Index block_samples = 0;  ///< of a tile's side; 0: chosen from shapes. The bits do not depend on it
  std::string out;          ///< .npy, .npz or .zarr; empty: the result is only summarised
  Triangle triangle = Triangle::automatic;
  ExistingFile existing = ExistingFile::refuse;
  Resources resources;
  bool has_basis() const { return basis_array.has_value() || !basis.empty(); }
  void validate() const;
};

/// tangra verify
struct VerifySpec {
  load::ModelSpec model;
  data::DataSpec data;  ///< without a selection the first few samples
  std::string reduce = "full";
  Precision precision = Precision::float64;  ///< of the structured method
  Resources resources;
  void validate() const;
};

/// tangra spectrum
struct SpectrumSpec {
  std::string kernel;                    ///< a .npy or .zarr; else model and data
  std::optional<Array> kernel_array;     ///< in memory, in place of the file, which then only names it in messages
  double relative_error = 0;             ///< of the array's entries, root mean square, where it has been measured
  std::optional<KernelSpec> from_model;  ///< the kernel is computed in memory, or applied without being formed
  Index top = 0;                         ///< the largest ones alone; 0: all
  bool without_matrix = false;           ///< never form K; with `top`. Without it K is formed where it fits
  bool residuals = true;                 ///< compute eigenvectors, residuals and shares of labels where they fit
  bool density = false;                  ///< count eigenvalues by size; without K an estimate
  double tolerance = 0;                  ///< of residuals, as a share of the largest; 0: from the arithmetic
  std::string labels_file;               ///< of the samples of a kernel's file; those of data are data.labels_file
  std::optional<Array> labels_array;     ///< in place of the file, which then only names them in messages
  bool vectors = false;                  ///< keep the eigenvectors in the result
  std::string out;                       ///< .npz of eigenvalues, eigenvectors and residuals; may be empty
  ExistingFile existing = ExistingFile::refuse;
  Resources resources;
  void validate() const;
};

/// What a prediction is where the kernel says nothing.
enum class PriorMean {
  zero,
  network,  ///< the outputs of the network itself; the kernel corrects them
};

enum class Solver {
  automatic,  ///< Cholesky where the kernel fits into memory
  cholesky,
  conjugate_gradients,  ///< K is applied and never formed; without variances and leave-one-out errors
};

/// tangra predict
struct PredictSpec {
  load::ModelSpec model;
  data::DataSpec train;
  data::DataSpec test;
  std::string reduce;          ///< as of a kernel, without diagonal; may be empty where O = 1
  std::vector<double> ridges;  ///< added to the diagonal of K; of several the one with the least leave-one-out error
  std::string targets;         ///< .npy or .csv of (N, C) numbers in place of labels
  std::optional<Array> targets_array = {};  ///< in place of the file, which then only names it in messages
  PriorMean prior = PriorMean::zero;
  Solver solver = Solver::automatic;
  bool variance = false;  ///< of every prediction, into the .npz
  Precision precision = Precision::automatic;
  std::string out;  ///< .npy or .csv of the means, .npz of means and variances; empty: summarised only
  ExistingFile existing = ExistingFile::refuse;
  Resources resources;
  void validate() const;
};

/// Which closed form of infinite width.
enum class InfiniteKind { ntk, nngp };

/// tangra infinite
struct InfiniteSpec {
  load::ModelSpec model;  ///< a chain of Dense layers
  data::DataSpec data;
  std::optional<data::DataSpec> data2;
  InfiniteKind kind = InfiniteKind::ntk;
  bool compare = false;  ///< with the network's own kernel, at its widths and seed
  std::vector<Index> widths;  ///< compare with networks whose hidden layers all have these widths too
  Index seeds = 3;            ///< how many networks of each width, from the model's seed on
  std::string out;       ///< .npy; empty: summarised only
  ExistingFile existing = ExistingFile::refuse;
  Resources resources;
  void validate() const;
};

}  // namespace tangra::run
