#include <algorithm>
#include <cctype>

#include "places.h"
#include "source.h"
#include "tangra/formats/cifar.h"
#include "tangra/formats/csv.h"
#include "tangra/formats/idx.h"
#include "tangra/formats/input_file.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"
#include "tangra/formats/refuse.h"

namespace tangra::data {
namespace {

namespace fs = std::filesystem;

Index first_length(const Shape& shape, const std::string& where) {
  if (shape.empty())
    formats::refuse(where, "the file holds a single number", "()",
                    "an array whose first axis is the samples");
  return shape[0];
}

double divisor_of(DType type) {
  return type == DType::uint8 ? 255 : 1;
}

/// An array that is in memory, or had to be read as a whole from these files.
Source array_source(const std::string& name, std::vector<std::string> files, const Array& array) {
  const auto read = [array, files = std::move(files)](Index begin, Index end) {
    const bool all = begin == 0 && end == array.shape()[0];
    return Rows{.inputs = all ? array : array.rows(begin, end), .labels = {}, .files = files};
  };
  return {.name = name,
          .count = first_length(array.shape(), name),
          .read = read,
          .divisor = divisor_of(array.type()),
          .channels_first = false,
          .note = {}};
}

Source npy_source(const std::string& file) {
  const formats::NpyHeader header = formats::read_npy_header(file);
  const auto read = [file](Index begin, Index end) {
    return Rows{.inputs = formats::read_npy_rows(file, begin, end), .labels = {}, .files = {file}};
  };
  return {.name = file,
          .count = first_length(header.shape, file),
          .read = read,
          .divisor = divisor_of(header.type),
          .channels_first = false,
          .note = {}};
}

/// The array that is meant where no key is given: the only one, or the only one with a usual name.
std::string usual_key(const std::string& file) {
  const std::vector<std::string> keys = formats::npz_keys(file);
  if (keys.size() == 1) return keys[0];
  std::string found;
  std::string all;
  for (const std::string& key : keys) {
    all += (all.empty() ? "" : ", ") + key;
    if (key != "x" && key != "X" && key != "images" && key != "inputs") continue;
    if (!found.empty())
      formats::refuse(file, "it is not clear which array is meant", found + " and " + key, {},
                      "Write the name behind a colon, as in FILE.npz:" + found);
    found = key;
  }
  if (found.empty()) {
    formats::refuse(file, "it is not clear which array is meant", all.empty() ? "no arrays at all" : all, {},
                    "Write the name behind a colon, as in FILE.npz:NAME");
  }
  return found;
}

Source npz_source(const std::string& file, const std::string& key) {
  return array_source(file + ":" + key, {file}, formats::read_npz(file, key));
}

/// The label file that lies beside an IDX file of pictures under the usual name.
std::optional<fs::path> labels_beside(const fs::path& file) {
  std::string name = file.filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  const auto place = name.rfind("images");
  if (place == std::string::npos) return std::nullopt;
  name.replace(place, 6, "labels");
  const auto axes = name.find("idx3", place);
  if (axes != std::string::npos) name.replace(axes, 4, "idx1");
  return plain_or_gzip(file.parent_path().empty() ? fs::path(".") : file.parent_path(), name);
}

Rows read_idx(const std::string& file, const std::optional<fs::path>& labels, Index count, Index begin,
              Index end) {
  Rows rows{.inputs = formats::read_idx_rows(file, begin, end), .labels = {}, .files = {file}};
  const Shape& shape = rows.inputs.shape();
  if (shape.rank() == 3) rows.inputs = rows.inputs.reshaped(Shape{shape[0], 1, shape[1], shape[2]});
  if (!labels) return rows;
  const Shape labelled = formats::read_idx_shape(*labels);
  if (labelled != Shape{count}) {
    formats::refuse(labels->string(), "pictures and labels do not belong together",
                    "labels " + to_string(labelled), std::to_string(count) + " for the pictures of " + file);
  }
  rows.labels = formats::read_idx_rows(*labels, begin, end);
  rows.files.push_back(labels->string());
  return rows;
}

Source idx_source(const std::string& file) {
  const Shape shape = formats::read_idx_shape(file);
  const Index count = shape[0];
  const auto labels = shape.rank() > 1 ? labels_beside(file) : std::nullopt;
  const auto read = [=](Index begin, Index end) { return read_idx(file, labels, count, begin, end); };
  // Only bytes are divided; the type shows in a row (an empty file has none, and is refused later).
  const DType type = count > 0 ? formats::read_idx_rows(file, 0, 0).type() : DType::uint8;
  return {.name = file,
          .count = count,
          .read = read,
          .divisor = divisor_of(type),
          .channels_first = false,
          .note = {}};
}

Source cifar_source(const std::string& file) {
  const auto read = [file](Index begin, Index end) {
    const formats::CifarRows rows = formats::read_cifar_rows(file, begin, end);
    return Rows{.inputs = rows.images, .labels = rows.labels, .files = {file}};
  };
  return {.name = file,
          .count = formats::cifar_count(file),
          .read = read,
          .divisor = 255,
          .channels_first = true,
          .note = {}};
}

/// The format by the first bytes, for names that tell nothing.
Source sniffed_source(const std::string& path) {
  const formats::InputFile file(path);
  std::string start(std::min<std::uint64_t>(file.size(), 4), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(start)));
  if (start.empty()) formats::refuse(path, "the file is empty");
  if (start == "\x93NUM") return npy_source(path);
  if (start.starts_with("PK")) return npz_source(path, usual_key(path));
  if (start.starts_with("\x1f\x8b") || start.starts_with(std::string(2, '\0'))) return idx_source(path);
  formats::refuse(path, "the kind of this file is not known", {},
                  ".npy, .npz, IDX (also .gz), CIFAR-10's .bin, or .csv");
}

}  // namespace

Source file_source(const std::string& text) {
  std::error_code ignored;
  const auto colon = text.rfind(".npz:");
  if (colon != std::string::npos && !fs::exists(text, ignored)) {
    return npz_source(text.substr(0, colon + 4), text.substr(colon + 5));
  }
  std::string ending = fs::path(text).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](char letter) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  });
  if (!fs::exists(text, ignored)) {
    formats::refuse(
        text, "the file is not there", {},
        "a file (.npy, .npz, IDX, CIFAR-10's .bin, .csv) or one of digits, mnist, fashion-mnist, cifar10");
  }
  if (ending == ".npy") return npy_source(text);
  if (ending == ".npz") return npz_source(text, usual_key(text));
  if (ending == ".csv" || ending == ".tsv" || ending == ".txt")
    return array_source(text, {text}, formats::read_csv(text));
  if (ending == ".bin") return cifar_source(text);
  return sniffed_source(text);
}

Source memory_source(const std::string& name, const Array& array) {
  Source source = array_source(name, {}, array);
  source.divisor = 1;
  return source;
}

}  // namespace tangra::data
