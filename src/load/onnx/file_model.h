#pragma once
// Not for other rooms: an ONNX file as plain data. Nothing behind the reader knows protobuf.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tangra/base/array.h"
#include "tangra/model/attributes.h"

namespace tangra::load::onnx {

/// One operator of the file.
struct FileNode {
  std::string op;
  std::string domain;               ///< empty for ONNX's own operators
  std::string name;                 ///< the file's own, or "#12 (Conv)" where it has none
  std::vector<std::string> inputs;  ///< empty names stand for absent inputs
  std::vector<std::string> outputs;
  Attributes attributes;  ///< reals are the shortest decimals that print as their float32: 0.01 is 0.01
  std::map<std::string, Array, std::less<>> tensors;  ///< attributes that are arrays
  bool has_graph = false;                             ///< an attribute is a graph (If, Loop, Scan)
};

/// An array of the file.
struct Initializer {
  std::string name;
  Array data;  ///< float16 and bfloat16 are float32 here
};

/// What the file says of an input or output.
struct ValueInfo {
  struct Length {
    std::optional<Index> fixed;  ///< a number, or
    std::string name;            ///< a name; both empty where the file says nothing
  };
  std::string name;
  DType type = DType::float32;
  std::optional<std::vector<Length>> shape;  ///< none where the file does not tell the rank
};

/// What an ONNX file holds, checked as far as each part can be by itself.
struct FileModel {
  std::string source;  ///< the file, for messages
  std::string producer;
  std::string name;
  Index opset = 0;
  std::vector<FileNode> nodes;
  std::set<std::string>
      functions;  ///< that the file defines itself, as "domain::name"; their bodies are not read
  std::vector<Initializer> initializers;
  std::vector<ValueInfo> inputs;  ///< without those that are initialisers
  std::vector<ValueInfo> outputs;
};

}  // namespace tangra::load::onnx
