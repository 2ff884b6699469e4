#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tangra/base/shape.h"

namespace tangra::data {

/// A data set that has a name here.
struct DataSetInfo {
  std::string name;
  std::string title;                 ///< what it is, in a line
  Shape training;                    ///< (N, C, H, W)
  std::optional<Shape> test;         ///< of `NAME:test`, where there is such a part
  std::vector<std::string> classes;  ///< label k means classes[k]
  std::string licence;
  std::string how_to_get;            ///< what to do where it is not found
  std::optional<std::string> found;  ///< the folder, or "built in"; none where it is not on this machine
};

/// All of them, looked up as load() does.
std::vector<DataSetInfo> list(const std::string& data_dir = {});

/// One of them. Throws Error(input), naming those that there are, where the name is unknown.
DataSetInfo info(std::string_view name, const std::string& data_dir = {});

}  // namespace tangra::data
