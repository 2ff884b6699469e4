#include <cmath>

#include "scaling.h"
#include "source.h"
#include "tangra/base/error.h"
#include "tangra/base/hash.h"
#include "tangra/data/data_set.h"
#include "tangra/formats/refuse.h"

namespace tangra::data {
namespace {

[[noreturn]] void misused(const std::string& where, const std::string& what, const std::string& got,
                          const std::string& expected) {
  throw Error(ErrorKind::usage, {.what = what, .where = where, .got = got, .expected = expected, .cure = {}});
}

std::string range(Index begin, Index end) {
  return std::to_string(begin) + ":" + std::to_string(end);
}

std::pair<Index, Index> selection(const DataSpec& spec, const Source& source) {
  if (source.count == 0) formats::refuse(source.name, "there are no samples in it");
  std::pair<Index, Index> rows{0, source.count};
  if (spec.samples) {
    rows = *spec.samples;
    if (rows.first < 0 || rows.second <= rows.first) {
      misused("--samples", "this selects no samples", range(rows.first, rows.second), "a:b with 0 <= a < b");
    }
    if (rows.second > source.count) {
      formats::refuse(source.name, "the selected samples are not there", range(rows.first, rows.second),
                      "samples within 0:" + std::to_string(source.count));
    }
  }
  if (spec.at_most) rows.second = std::min(rows.second, rows.first + *spec.at_most);
  if (spec.n) {
    if (*spec.n <= 0) misused("--n", "this selects no samples", std::to_string(*spec.n), "1 or more");
    if (*spec.n > rows.second - rows.first) {
      formats::refuse(source.name, "there are not so many samples", std::to_string(*spec.n),
                      "at most " + std::to_string(rows.second - rows.first));
    }
    rows.second = rows.first + *spec.n;
  }
  return rows;
}

Scaling scaling_of(const DataSpec& spec, const Source& source) {
  Scaling scaling{.divisor = source.divisor, .factor = 1, .normalization = {}};
  if (spec.scale) {
    if (!std::isfinite(*spec.scale) || *spec.scale == 0) {
      misused("--scale", "this cannot be a factor", decimal(*spec.scale), "a finite number that is not 0");
    }
    scaling.divisor = 1;
    scaling.factor = *spec.scale;
  }
  if (spec.normalize) scaling.normalization = parse_normalization(*spec.normalize);
  return scaling;
}

Array in_our_layout(const Array& raw, const DataSpec& spec, const Source& source) {
  if (!spec.nhwc) return raw;
  if (source.channels_first) {
    misused("--data-layout", "the layout of these data is known", "nhwc for " + source.name,
            "nchw, or no word about it");
  }
  if (raw.shape().rank() != 4) {
    formats::refuse(source.name, "only arrays of four axes can have the layout nhwc", to_string(raw.shape()),
                    "(N, H, W, C)");
  }
  return channels_to_front(raw);
}

std::string joined(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text.append(text.empty() ? "" : ",").append(decimal(value));
  return text;
}

std::string description(const DataSpec& spec, const Source& source, const Scaling& scaling,
                        const DataSet& set) {
  std::string text;
  if (scaling.divisor != 1)
    text = "divided by " + decimal(scaling.divisor);
  else if (scaling.factor != 1)
    text = "multiplied by " + decimal(scaling.factor);
  else
    text = "values as they are";
  if (scaling.normalization) {
    text += "; normalised by mean " + joined(scaling.normalization->mean) + " and deviation " +
            joined(scaling.normalization->deviation);
  }
  if (spec.nhwc) text += "; transposed from NHWC to NCHW";
  if (set.end - set.begin == set.total)
    text += "; all " + std::to_string(set.total) + " samples";
  else
    text += "; samples " + range(set.begin, set.end) + " of " + std::to_string(set.total);
  if (!spec.labels_file.empty()) text += "; labels from " + spec.labels_file;
  if (!source.note.empty()) text += "; " + source.note;
  return text;
}

std::uint64_t fingerprint_of(const Array& array) {
  Hash hash;
  hash.add(name_of(array.type()));
  hash.add(to_string(array.shape()));
  if (array.bytes() > 0) hash.add(array.data(), array.bytes());
  return hash.value();
}

Source source_of(const DataSpec& spec) {
  if (spec.array) return memory_source(spec.source, *spec.array);
  const std::optional<Source> named = named_source(spec.source, spec.data_dir);
  return named ? *named : file_source(spec.source);
}

}  // namespace

DataSet load(const DataSpec& spec) {
  if (spec.source.empty()) misused("DATA", "no data are named", {}, "a file or the name of a data set");
  const Source source = source_of(spec);
  const Scaling scaling = scaling_of(spec, source);
  const auto [begin, end] = selection(spec, source);

  DataSet set;
  set.name = spec.source;
  set.begin = begin;
  set.end = end;
  set.total = source.count;
  Rows rows = source.read(begin, end);
  set.files = std::move(rows.files);
  if (spec.labels_array) {
    set.labels = selected_labels(memory_source(spec.labels_file, *spec.labels_array), source.count, begin, end);
  } else if (!spec.labels_file.empty()) {
    set.labels = labels_from_file(spec.labels_file, source.count, begin, end);
    set.files.push_back(spec.labels_file);
  } else if (rows.labels) {
    set.labels = labels_of(*rows.labels, source.name);
  }
  set.inputs =
      scaled(in_our_layout(rows.inputs, spec, source), scaling, {.name = source.name, .first_sample = begin});
  set.divided = scaling.divisor != 1;
  set.description = description(spec, source, scaling, set);
  set.fingerprint = fingerprint_of(set.inputs);
  return set;
}

std::optional<std::vector<Index>> selected_labels(const DataSpec& spec) {
  const std::optional<Source> named = named_source(spec.source, spec.data_dir);
  const Source source = named ? *named : file_source(spec.source);
  const auto [begin, end] = selection(spec, source);
  if (!spec.labels_file.empty()) return labels_from_file(spec.labels_file, source.count, begin, end);
  const Rows rows = source.read(begin, end);
  if (!rows.labels) return std::nullopt;
  return labels_of(*rows.labels, source.name);
}

}  // namespace tangra::data
