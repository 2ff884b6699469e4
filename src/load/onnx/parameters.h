#pragma once
// Not for other rooms: which arrays of an ONNX file are learned.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tangra/load/onnx/file_model.h"
#include "tangra/model/graph.h"

namespace tangra::load::onnx {

/// What an initialiser is.
struct Decision {
  enum class Kind {
    parameter,  ///< learned
    buffer,     ///< part of the network and listed with it, not learned
    constant,   ///< a setting, a shape, a mask
    tied,       ///< another name for the entries of the parameter `same_as`
  };
  Kind kind = Kind::constant;
  std::string why;  ///< in words
  ParameterRole role = ParameterRole::other;
  std::string layer;
  std::string same_as = {};
  bool transposed = false;  ///< of a tied one: rows are the parameter's columns
};

/// Decides for each initialiser that the nodes use. Real numbers are parameters, but for running statistics
/// of normalisations, masks, settings of operators, and scalars that bear a name that an exporter counts up.
/// A matrix under such a name that is, bit by bit, one parameter with a name of its own, or its transpose, is
/// that parameter.
std::map<std::string, Decision> decide_parameters(const FileModel& model,
                                                  const std::vector<const FileNode*>& nodes,
                                                  const std::set<std::string>& outputs);

/// The part of a parameter's name that stands for its layer: 'layer1.0.conv' of 'layer1.0.conv.weight'; empty
/// where the name has no parts.
std::string layer_of(const std::string& name);

/// Whether an exporter made the name up by counting: 'val_7', 'onnx::Mul_123', '42'.
bool is_running_name(const std::string& name);

}  // namespace tangra::load::onnx
