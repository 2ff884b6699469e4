#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tangra/base/array.h"

namespace tangra::data {

/// What to load and how.
struct DataSpec {
  /// A name (`digits`, `mnist`, `fashion-mnist`, `cifar10`, each but the first also with `:test`) or a file:
  /// .npy, .npz or .npz:key, IDX with or without gzip, CIFAR-10's .bin, .csv.
  std::string source = {};
  std::string data_dir = {};          ///< looked at first for names; may be empty
  std::optional<Index> n = {};        ///< the first n samples (of `samples`, if that is given too)
  std::optional<Index> at_most = {};  ///< as n, or all where there are fewer
  std::optional<std::pair<Index, Index>> samples = {};  ///< samples [first, second)
  bool nhwc = false;                 ///< the file has (N, H, W, C); the result has (N, C, H, W)
  std::optional<double> scale = {};  ///< factor for the raw values, in place of the set's own scaling
  /// "MEAN[,..]:STD[,..]", one or one for each channel (axis 1): (x - mean) / std, behind the scaling.
  std::optional<std::string> normalize = {};
  std::string labels_file = {};  ///< integers for all samples or for the selected; may be empty
  /// Samples in memory, (N, ...), taken as they are (bytes too) unless `scale` or `normalize` says otherwise; `source`
  /// then only names them in messages.
  std::optional<Array> array = {};
  std::optional<Array> labels_array = {};  ///< in place of the file, which then only names them in messages
};

struct DataSet {
  std::string name;  ///< as DataSpec::source has it
  /// (N, ...), finite: float32 from float16 and float32; float64 from float64, integers and bytes, so that a
  /// network in float64 is given 3 / 255 and not the float32 next to it.
  Array inputs;
  std::optional<std::vector<Index>> labels;  ///< N of them, 0 or more, where the source has labels
  std::string description;                   ///< what was done: "divided by 255; samples 0:100 of 60000"
  bool divided = false;                      ///< by the set's own divisor, as nothing else was asked for
  std::uint64_t fingerprint = 0;             ///< of the type, shape and bytes of `inputs`
  std::vector<std::string> files;            ///< what was read; none for what is built in
  Index begin = 0;                           ///< the selection's place in the source ...
  Index end = 0;
  Index total = 0;  ///< ... and the number of samples there
};

/// Loads the selected samples; other parts of the source are read only as far as the format forces to.
/// Without `scale`, unsigned 8-bit data are divided by 255 and `digits` by 16; others are taken as they are.
/// Pictures of IDX files, (N, H, W) there, get a channel: (N, 1, H, W). All arithmetic is in float64; only
/// what comes from float16 or float32 is rounded, once, to float32. Throws Error(usage) where the
/// specification contradicts itself; Error(input) where a file or name is not found, a file is malformed, the
/// selection is out of range, labels do not fit, an entry is NaN, infinite or scaled beyond what can be held,
/// or a 64-bit integer is none of float64's numbers.
DataSet load(const DataSpec& spec);

/// The labels that load() would give, without its arithmetic on the samples; nothing where the source has none.
std::optional<std::vector<Index>> selected_labels(const DataSpec& spec);

/// Labels for `samples` samples from a file of integers. Throws Error(input) where it holds another number of them, or
/// something else than integers of 0 or more.
std::vector<Index> load_labels(const std::string& file, Index samples);
/// The same from an array in memory, which `name` names in messages.
std::vector<Index> take_labels(const Array& labels, const std::string& name, Index samples);

}  // namespace tangra::data
