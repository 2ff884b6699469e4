#pragma once
// Not for other rooms: a place that samples come from, before any scaling.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tangra/base/array.h"

namespace tangra::data {

/// Some samples as they lie.
struct Rows {
  Array inputs;                 ///< (n, ...)
  std::optional<Array> labels;  ///< (n,)
  std::vector<std::string> files;
};

struct Source {
  std::string name;
  Index count = 0;                                   ///< samples in all
  std::function<Rows(Index begin, Index end)> read;  ///< samples [begin, end), which is within [0, count)
  double divisor = 1;                                ///< the set's own scaling
  bool channels_first = false;                       ///< known to be (N, C, H, W)
  std::string note;                                  ///< something that the user should know
};

/// `digits`, built in.
Source digits_source();
/// A name of the catalogue, with or without :test; none where `text` is no such name.
std::optional<Source> named_source(const std::string& text, const std::string& data_dir);
/// A file of one of the known formats.
Source file_source(const std::string& text);
/// Samples in memory.
Source memory_source(const std::string& name, const Array& array);

/// Labels [begin, end) of `total` from a source, or file, that has them for all or for just these.
std::vector<Index> selected_labels(const Source& source, Index total, Index begin, Index end);
std::vector<Index> labels_from_file(const std::string& file, Index total, Index begin, Index end);
/// An array of integers (also as whole floating numbers), (n,) or (n, 1), none negative.
std::vector<Index> labels_of(const Array& array, const std::string& where);

}  // namespace tangra::data
