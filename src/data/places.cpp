#include "places.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace tangra::data {
namespace {

namespace fs = std::filesystem;

/// The names that a set's own folder has, here and where other programs put it.
std::vector<std::string> folders_of(const std::string& name) {
  if (name == "mnist") return {"mnist", "MNIST", "MNIST/raw"};
  if (name == "fashion-mnist") return {"fashion-mnist", "FashionMNIST", "FashionMNIST/raw"};
  if (name == "cifar10") return {"cifar10", "cifar-10-batches-bin"};
  return {name};
}

std::vector<fs::path> roots(const std::string& data_dir) {
  std::vector<fs::path> result;
  if (!data_dir.empty()) result.emplace_back(data_dir);
  if (const char* places = std::getenv("TANGRA_DATA"); places != nullptr) {
    std::istringstream text(places);
    for (std::string place; std::getline(text, place, ':');) {
      if (!place.empty()) result.emplace_back(place);
    }
  }
  result.emplace_back("data");
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    result.push_back(fs::path(home) / ".cache/tangra");
  }
  result.emplace_back("/usr/share/datasets");
  return result;
}

/// MNIST and Fashion-MNIST have files of the same names: a folder that is named for the one is not the other.
bool belongs_to_another(const fs::path& root, const std::string& name) {
  const fs::path folder = root.filename().empty() ? root.parent_path() : root;
  const auto is_folder_of = [&](const std::string& set) {
    const std::vector<std::string> names = folders_of(set);
    return std::any_of(names.begin(), names.end(), [&](const std::string& own) {
      return folder.filename() == own || (folder.parent_path().filename() / folder.filename()) == own;
    });
  };
  return (name == "mnist" && is_folder_of("fashion-mnist")) ||
         (name == "fashion-mnist" && is_folder_of("mnist"));
}

}  // namespace

std::vector<fs::path> places_of(const std::string& name, const std::string& data_dir) {
  std::vector<fs::path> result;
  for (const fs::path& root : roots(data_dir)) {
    for (const std::string& folder : folders_of(name)) result.push_back(root / folder);
    if (!belongs_to_another(root, name)) result.push_back(root);
  }
  return result;
}

std::optional<fs::path> plain_or_gzip(const fs::path& folder, const std::string& file) {
  std::error_code ignored;
  for (const char* suffix : {"", ".gz"}) {
    fs::path path = folder / (file + suffix);
    if (fs::is_regular_file(path, ignored)) return path;
  }
  return std::nullopt;
}

std::optional<fs::path> place_with(const std::string& name, const std::string& data_dir,
                                   const std::vector<std::string>& files) {
  for (const fs::path& place : places_of(name, data_dir)) {
    for (const std::string& file : files) {
      if (plain_or_gzip(place, file)) return place;
    }
  }
  return std::nullopt;
}

std::vector<std::string> telling_files(const std::string& name, bool test) {
  if (name == "cifar10") {
    if (test) return {"test_batch.bin", "test_batch_first1000.bin"};
    return {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
            "data_batch_5.bin"};
  }
  return {test ? "t10k-images-idx3-ubyte" : "train-images-idx3-ubyte"};
}

}  // namespace tangra::data
