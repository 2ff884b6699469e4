#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tangra/base/index.h"

namespace tangra::formats {

/// A file with one JSON object, whose fields are asked for by JSON pointers ("/measured_error/rms").
class JsonFile {
 public:
  /// Throws Error(input) where the file is absent or no JSON object.
  explicit JsonFile(const std::filesystem::path& path);
  ~JsonFile();

  /// Nothing where the field is absent or null. Throws Error(input), naming file and field, where it is of
  /// another kind.
  std::optional<double> number(const std::string& pointer) const;
  std::optional<std::string> text(const std::string& pointer) const;
  std::optional<std::vector<Index>> integers(const std::string& pointer) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tangra::formats
