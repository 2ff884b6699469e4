#include <algorithm>

#include "places.h"
#include "source.h"
#include "tangra/data/catalogue.h"
#include "tangra/formats/cifar.h"
#include "tangra/formats/refuse.h"

namespace tangra::data {
namespace {

namespace fs = std::filesystem;
constexpr Index batch_rows = 10000;
constexpr Index training_batches = 5;

[[noreturn]] void not_found(const std::string& text, const std::string& name, const std::string& data_dir) {
  std::string places;
  for (const fs::path& place : places_of(name, data_dir))
    places += (places.empty() ? "" : ", ") + place.string();
  formats::refuse(text, "the data set is not on this machine", {}, "its files in one of " + places,
                  info(name, data_dir).how_to_get + ", or name their folder with --data-dir or TANGRA_DATA");
}

fs::path batch_file(const fs::path& folder, Index batch) {
  return folder / ("data_batch_" + std::to_string(batch + 1) + ".bin");
}

[[noreturn]] void batch_missing(const fs::path& folder, Index batch, Index begin, Index end) {
  Index there = 0;
  while (there < training_batches && fs::exists(batch_file(folder, there))) ++there;
  std::string cure = "Get it from cifar-10-binary.tar.gz";
  if (there > 0) cure += ", or take what is there: --n " + std::to_string(there * batch_rows) + " would do";
  formats::refuse(
      batch_file(folder, batch).string(), "this batch of cifar10 is not there", {},
      "it, for samples " + std::to_string(begin) + ":" + std::to_string(end) + " of the training part", cure);
}

Array joined(const std::vector<Array>& parts) {
  if (parts.size() == 1) return parts[0];
  Shape shape = parts.at(0).shape();
  shape[0] = 0;
  for (const Array& part : parts) shape[0] += part.shape()[0];
  return Array(parts[0].type(), shape, [&](std::span<std::byte> target) {
    for (const Array& part : parts) {
      if (part.bytes() > 0) std::memcpy(target.data(), part.data(), part.bytes());
      target = target.subspan(part.bytes());
    }
  });
}

Rows read_batches(const fs::path& folder, Index begin, Index end) {
  for (Index batch = begin / batch_rows; batch * batch_rows < end; ++batch) {
    if (!fs::exists(batch_file(folder, batch))) batch_missing(folder, batch, begin, end);
  }
  std::vector<Array> images;
  std::vector<Array> labels;
  Rows rows;
  for (Index batch = begin / batch_rows; batch * batch_rows < end; ++batch) {
    const fs::path file = batch_file(folder, batch);
    const Index count = formats::cifar_count(file);
    if (count != batch_rows) {
      formats::refuse(file.string(), "this is no batch of cifar10's training part",
                      std::to_string(count) + " pictures", "10000");
    }
    const Index offset = batch * batch_rows;
    const formats::CifarRows part = formats::read_cifar_rows(file, std::max(begin, offset) - offset,
                                                             std::min(end, offset + batch_rows) - offset);
    images.push_back(part.images);
    labels.push_back(part.labels);
    rows.files.push_back(file.string());
  }
  rows.inputs = joined(images);
  rows.labels = joined(labels);
  return rows;
}

Source cifar_training(const fs::path& folder) {
  const auto read = [folder](Index begin, Index end) { return read_batches(folder, begin, end); };
  return {.name = "cifar10",
          .count = training_batches * batch_rows,
          .read = read,
          .divisor = 255,
          .channels_first = true,
          .note = {}};
}

Source cifar_test(const fs::path& folder) {
  const fs::path whole = folder / "test_batch.bin";
  if (fs::exists(whole)) return file_source(whole.string());
  Source source = file_source((folder / "test_batch_first1000.bin").string());
  source.note = "only the first 1000 samples of the test part are there";
  return source;
}

}  // namespace

std::optional<Source> named_source(const std::string& text, const std::string& data_dir) {
  const auto colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const std::string part = colon == std::string::npos ? "train" : text.substr(colon + 1);
  if (name != "digits" && name != "mnist" && name != "fashion-mnist" && name != "cifar10")
    return std::nullopt;
  const bool test = part == "test";
  if (name == "digits" && colon != std::string::npos) {
    formats::refuse(text, "digits has no parts", ":" + part, "digits", "Take parts of it with --samples");
  }
  if (!test && part != "train") formats::refuse(text, "the data set has no such part", part, "train or test");
  if (name == "digits") return digits_source();

  const std::vector<std::string> files = telling_files(name, test);
  const auto folder = place_with(name, data_dir, files);
  if (!folder) not_found(text, name, data_dir);
  Source source = name != "cifar10" ? file_source(plain_or_gzip(*folder, files[0])->string())
                  : test            ? cifar_test(*folder)
                                    : cifar_training(*folder);
  source.name = text;
  source.channels_first = true;
  return source;
}

}  // namespace tangra::data
