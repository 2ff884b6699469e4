#include "tangra/load/onnx/read.h"

#include <google/protobuf/io/coded_stream.h>
#include <onnx/onnx_pb.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "tangra/base/error.h"
#include "tangra/formats/input_file.h"
#include "tangra/formats/refuse.h"
#include "tangra/load/onnx/tensors.h"

namespace tangra::load::onnx {
namespace {

using formats::refuse;
using ::onnx::AttributeProto;

/// A network with more operators than this is some other file.
constexpr int most_nodes = 200'000;

/// protobuf's own limit.
void check_size(std::uint64_t bytes, const std::string& source) {
  constexpr std::uint64_t most_bytes = std::numeric_limits<int>::max();
  if (bytes <= most_bytes) return;
  refuse(source, "the file is too large for an ONNX file", std::to_string(bytes) + " bytes",
         std::to_string(most_bytes) + " bytes at most",
         "Save it with its weights in files beside it (onnx.save_model, save_as_external_data)");
}

template <class Message>
void parse(Message& message, std::span<const std::byte> bytes, const std::string& source) {
  check_size(bytes.size(), source);
  const auto size = static_cast<int>(bytes.size());
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()), size);
  stream.SetRecursionLimit(64);
  if (!message.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    refuse(source, "this is not an ONNX file, or it is damaged", std::to_string(bytes.size()) + " bytes", {},
           "Export or copy it again");
  }
}

/// ONNX's own operators go by two names.
std::string canonical(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

std::vector<double> decimals(const AttributeProto& attribute) {
  std::vector<double> values;
  for (const float value : attribute.floats()) values.push_back(shortest_decimal(value));
  return values;
}

/// Old files leave the type out.
int type_in(const AttributeProto& attribute) {
  if (attribute.type() != AttributeProto::UNDEFINED) return attribute.type();
  if (attribute.has_i()) return AttributeProto::INT;
  if (attribute.has_f()) return AttributeProto::FLOAT;
  if (attribute.has_s()) return AttributeProto::STRING;
  if (attribute.has_t()) return AttributeProto::TENSOR;
  if (attribute.ints_size() > 0) return AttributeProto::INTS;
  return attribute.floats_size() > 0 ? AttributeProto::FLOATS : AttributeProto::UNDEFINED;
}

void add_attribute(FileNode& node, const AttributeProto& attribute, const ArrayPlace& place) {
  const std::string& name = attribute.name();
  switch (type_in(attribute)) {
    case AttributeProto::INT:
      node.attributes.set(name, Index{attribute.i()});
      break;
    case AttributeProto::FLOAT:
      node.attributes.set(name, shortest_decimal(attribute.f()));
      break;
    case AttributeProto::STRING:
      node.attributes.set(name, attribute.s());
      break;
    case AttributeProto::INTS:
      node.attributes.set(name, std::vector<Index>(attribute.ints().begin(), attribute.ints().end()));
      break;
    case AttributeProto::FLOATS:
      node.attributes.set(name, decimals(attribute));
      break;
    case AttributeProto::TENSOR:
      node.tensors[name] = array_of(attribute.t(), place);
      break;
    case AttributeProto::GRAPH:
    case AttributeProto::GRAPHS:
      node.has_graph = true;
      break;
    default:
      break;  // what an operator needs and does not find it names itself
  }
}

FileNode node_of(const ::onnx::NodeProto& proto, int place, const std::string& source,
                 const std::filesystem::path& folder) {
  FileNode node{.op = proto.op_type(),
                .domain = canonical(proto.domain()),
                .name = proto.name(),
                .inputs = {},
                .outputs = {},
                .attributes = {},
                .tensors = {},
                .has_graph = false};
  if (node.name.empty()) node.name = "#" + std::to_string(place);
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  for (const AttributeProto& attribute : proto.attribute()) {
    // Complex numbers and strings are held by operators that are refused by name.
    const bool readable = type_in(attribute) != AttributeProto::TENSOR || type_of(attribute.t().data_type());
    if (!readable) continue;
    add_attribute(node, attribute,
                  {source + ": attribute " + attribute.name() + " of node " + node.name, folder});
  }
  return node;
}

ValueInfo info_of(const ::onnx::ValueInfoProto& proto, const std::string& source) {
  ValueInfo info{.name = proto.name(), .type = DType::float32, .shape = std::nullopt};
  if (!proto.has_type()) return info;
  if (!proto.type().has_tensor_type()) {
    throw Error(ErrorKind::unsupported, {.what = "an input or output is not an array",
                                         .where = source + ": " + info.name,
                                         .got = "a sequence, map or optional value",
                                         .expected = "an array",
                                         .cure = {}});
  }
  const auto& tensor = proto.type().tensor_type();
  const auto type = type_of(tensor.elem_type());
  if (!type) {
    throw Error(ErrorKind::unsupported,
                {.what = "an input or output has a type that no network here computes with",
                 .where = source + ": " + info.name,
                 .got = "ONNX's type number " + std::to_string(tensor.elem_type()),
                 .expected = {},
                 .cure = {}});
  }
  info.type = *type;
  if (!tensor.has_shape()) return info;
  if (tensor.shape().dim_size() > 64) refuse(source + ": " + info.name, "the shape has too many axes");
  info.shape.emplace();
  for (const auto& dim : tensor.shape().dim()) {
    ValueInfo::Length length;
    if (dim.has_dim_value()) length.fixed = dim.dim_value();
    if (dim.has_dim_param()) length.name = dim.dim_param();
    // Some exporters write 0 or -1 for a length that is open.
    if (length.fixed && *length.fixed <= 0 && *length.fixed >= -1) length.fixed.reset();
    if (length.fixed && *length.fixed < 0) {
      refuse(source + ": " + info.name, "the shape has a negative length", std::to_string(*length.fixed));
    }
    info.shape->push_back(length);
  }
  return info;
}

Index opset_of(const ::onnx::ModelProto& proto) {
  Index opset = 0;
  for (const auto& entry : proto.opset_import()) {
    if (canonical(entry.domain()).empty()) opset = std::max<Index>(opset, entry.version());
  }
  return opset;
}

/// Whether the node means in this old version what it means in version 7.
bool means_the_same(const FileNode& node, Index opset) {
  static const std::set<std::string> arithmetic = {"Add", "Sub", "Mul",   "Div",  "Pow",    "And",
                                                   "Or",  "Xor", "Equal", "Less", "Greater"};
  static const std::set<std::string> never_changed = {"AveragePool",
                                                      "Constant",
                                                      "Conv",
                                                      "ConvTranspose",
                                                      "DepthToSpace",
                                                      "Flatten",
                                                      "Gather",
                                                      "GlobalAveragePool",
                                                      "GlobalMaxPool",
                                                      "Identity",
                                                      "LRN",
                                                      "LogSoftmax",
                                                      "MatMul",
                                                      "MaxPool",
                                                      "Not",
                                                      "ReduceL1",
                                                      "ReduceL2",
                                                      "ReduceLogSum",
                                                      "ReduceLogSumExp",
                                                      "ReduceMax",
                                                      "ReduceMean",
                                                      "ReduceMin",
                                                      "ReduceProd",
                                                      "ReduceSum",
                                                      "ReduceSumSquare",
                                                      "Shape",
                                                      "Size",
                                                      "Slice",
                                                      "Softmax",
                                                      "Softplus",
                                                      "Softsign",
                                                      "SpaceToDepth",
                                                      "Squeeze",
                                                      "Transpose",
                                                      "Unsqueeze"};
  if (never_changed.contains(node.op)) return true;
  if (opset < 6) return false;
  if (arithmetic.contains(node.op)) return !node.attributes.has("axis");
  if (node.op == "BatchNormalization" || node.op == "Dropout")
    return node.attributes.integer("is_test", 0) != 0;
  return node.op != "PRelu" && node.op != "Upsample" && node.op != "RNN" && node.op != "LSTM" &&
         node.op != "GRU";
}

void check_opset(const FileModel& model) {
  std::string changed;
  if (model.opset > 0 && model.opset < oldest_opset) {
    for (const FileNode& node : model.nodes) {
      if (changed.empty() && !means_the_same(node, model.opset))
        changed = " with " + node.op + " (" + node.name + "), which changed";
    }
    if (changed.empty()) return;
  }
  if (model.opset >= oldest_opset && model.opset <= newest_opset) return;
  throw Error(ErrorKind::unsupported,
              {.what = "the file is written in a version of ONNX's operators that is not read",
               .where = model.source,
               .got = model.opset == 0 ? std::string("none stated")
                                       : "version " + std::to_string(model.opset) + changed,
               .expected = "version " + std::to_string(oldest_opset) + " to " + std::to_string(newest_opset),
               .cure = "Export it with opset 17, or convert it with onnx.version_converter"});
}

FileModel model_of(const ::onnx::ModelProto& proto, const std::string& source,
                   const std::filesystem::path& folder) {
  const auto& graph = proto.graph();
  if (!proto.has_graph() || graph.output_size() == 0)
    refuse(source, "this is not an ONNX file, or it holds no network");
  FileModel model{.source = source,
                  .producer = proto.producer_name(),
                  .name = graph.name(),
                  .opset = opset_of(proto),
                  .nodes = {},
                  .functions = {},
                  .initializers = {},
                  .inputs = {},
                  .outputs = {}};
  if (graph.node_size() > most_nodes) {
    refuse(source, "the network has too many operators", std::to_string(graph.node_size()),
           std::to_string(most_nodes) + " at most");
  }
  if (graph.sparse_initializer_size() > 0) {
    throw Error(ErrorKind::unsupported, {.what = "sparse initialisers are not supported",
                                         .where = source,
                                         .got = {},
                                         .expected = {},
                                         .cure = "Export the network with dense weights"});
  }
  std::set<std::string> names;
  for (const auto& tensor : graph.initializer()) {
    if (!names.insert(tensor.name()).second)
      refuse(source, "two initialisers have the same name", tensor.name());
    // A string is no weight; who uses it says so.
    if (!type_of(tensor.data_type())) continue;
    model.initializers.push_back(
        {tensor.name(), array_of(tensor, {source + ": initialiser " + tensor.name(), folder})});
  }
  for (const auto& input : graph.input()) {
    if (!names.contains(input.name())) model.inputs.push_back(info_of(input, source));
  }
  for (const auto& output : graph.output()) model.outputs.push_back(info_of(output, source));
  for (int k = 0; k < graph.node_size(); ++k)
    model.nodes.push_back(node_of(graph.node(k), k, source, folder));
  for (const auto& function : proto.functions())
    model.functions.insert(function.domain() + "::" + function.name());
  check_opset(model);
  return model;
}

}  // namespace

double shortest_decimal(float value) {
  if (!std::isfinite(value)) return static_cast<double>(value);
  char text[64];
  const auto written = std::to_chars(text, text + sizeof text, value);
  double decimal = 0;
  std::from_chars(text, written.ptr, decimal);
  return decimal;
}

FileModel read_bytes(std::span<const std::byte> bytes, const std::string& source,
                     const std::filesystem::path& folder) {
  ::onnx::ModelProto proto;
  parse(proto, bytes, source);
  return model_of(proto, source, folder);
}

FileModel read_file(const std::filesystem::path& path) {
  ::onnx::ModelProto proto;
  {
    const formats::InputFile file(path);
    check_size(file.size(), path.string());
    const std::string bytes = file.read_all();
    parse(proto, std::as_bytes(std::span(bytes)), path.string());
  }  // the file's bytes go before its arrays are made
  const auto folder = path.parent_path().empty() ? std::filesystem::path(".") : path.parent_path();
  return model_of(proto, path.string(), folder);
}

Array read_tensor_file(const std::filesystem::path& path) {
  const formats::InputFile file(path);
  check_size(file.size(), path.string());
  const std::string bytes = file.read_all();
  ::onnx::TensorProto proto;
  parse(proto, std::as_bytes(std::span(bytes)), path.string());
  return array_of(proto, {path.string(), {}});
}

}  // namespace tangra::load::onnx
