// How libFuzzer changes an ONNX file: half of the time as bytes, else as a graph. Operators are exchanged and
// rewired, and attributes, shapes and integers set to numbers that are likely to go wrong, so that more than
// the parser is reached.
#include <onnx/onnx_pb.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

using onnx::AttributeProto;
using onnx::GraphProto;
using onnx::NodeProto;
using onnx::TensorProto;

constexpr std::array operators = {"Abs",
                                  "Add",
                                  "And",
                                  "AveragePool",
                                  "BatchNormalization",
                                  "Cast",
                                  "Clip",
                                  "Concat",
                                  "Constant",
                                  "ConstantOfShape",
                                  "Conv",
                                  "ConvTranspose",
                                  "CumSum",
                                  "DepthToSpace",
                                  "Div",
                                  "Dropout",
                                  "Einsum",
                                  "Equal",
                                  "Expand",
                                  "EyeLike",
                                  "Flatten",
                                  "Gather",
                                  "Gemm",
                                  "GlobalAveragePool",
                                  "Identity",
                                  "LayerNormalization",
                                  "Less",
                                  "MatMul",
                                  "Max",
                                  "MaxPool",
                                  "Mod",
                                  "Mul",
                                  "NonZero",
                                  "Not",
                                  "Pad",
                                  "Pow",
                                  "PRelu",
                                  "Range",
                                  "ReduceMax",
                                  "ReduceMean",
                                  "ReduceSum",
                                  "Relu",
                                  "Reshape",
                                  "Resize",
                                  "Shape",
                                  "Size",
                                  "Slice",
                                  "Softmax",
                                  "SpaceToDepth",
                                  "Split",
                                  "Squeeze",
                                  "Sub",
                                  "Sum",
                                  "Tile",
                                  "Transpose",
                                  "Trilu",
                                  "Unsqueeze",
                                  "Upsample",
                                  "Where",
                                  "Xor"};
constexpr std::array attributes = {"allowzero",
                                   "alpha",
                                   "auto_pad",
                                   "axes",
                                   "axis",
                                   "blocksize",
                                   "ceil_mode",
                                   "count_include_pad",
                                   "dilations",
                                   "epsilon",
                                   "equation",
                                   "exclusive",
                                   "group",
                                   "k",
                                   "keepdims",
                                   "kernel_shape",
                                   "mode",
                                   "num_outputs",
                                   "noop_with_empty_axes",
                                   "output_padding",
                                   "output_shape",
                                   "pads",
                                   "perm",
                                   "reverse",
                                   "scales",
                                   "split",
                                   "start",
                                   "end",
                                   "starts",
                                   "strides",
                                   "to",
                                   "transB",
                                   "upper",
                                   "value",
                                   "value_int",
                                   "value_ints"};
constexpr std::array texts = {"SAME_UPPER", "VALID",     "nearest",     "linear",  "reflect",
                              "edge",       "ij,jk->ik", "...i,i->...", "bij->bji"};
constexpr std::array numbers = {std::int64_t{0},
                                std::int64_t{1},
                                std::int64_t{-1},
                                std::int64_t{2},
                                std::int64_t{3},
                                std::int64_t{-2},
                                std::int64_t{4},
                                std::int64_t{5},
                                std::int64_t{7},
                                std::int64_t{16},
                                std::int64_t{255},
                                std::int64_t{4096},
                                std::int64_t{1} << 24,
                                std::int64_t{1} << 31,
                                std::int64_t{1} << 32,
                                std::int64_t{1} << 62,
                                INT64_MAX,
                                INT64_MIN,
                                INT64_MIN + 1,
                                -(std::int64_t{1} << 31)};

class Mutator {
 public:
  Mutator(onnx::ModelProto& model, unsigned seed)
      : model_(model), graph_(*model.mutable_graph()), random_(seed) {
    for (const auto& input : graph_.input()) names_.push_back(input.name());
    for (const auto& tensor : graph_.initializer()) names_.push_back(tensor.name());
    for (const auto& node : graph_.node())
      names_.insert(names_.end(), node.output().begin(), node.output().end());
    if (names_.empty()) names_.emplace_back("x");
  }

  void change() {
    for (std::size_t edits = 1 + below(3); edits > 0; --edits) edit();
  }

 private:
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }
  template <class List>
  auto& any(List& list) {
    return list[static_cast<std::size_t>(below(std::size(list)))];
  }
  template <class Field>
  auto* one_of(Field* field) {
    return field->empty() ? nullptr
                          : field->Mutable(static_cast<int>(below(static_cast<std::size_t>(field->size()))));
  }
  std::int64_t number(std::int64_t near) {
    const std::size_t kind = below(4);
    if (kind == 0) return any(numbers);
    return kind == 1 ? near : static_cast<std::int64_t>(static_cast<std::uint64_t>(near) + below(5) - 2);
  }

  void edit() {
    switch (below(9)) {
      case 0:
        if (NodeProto* node = one_of(graph_.mutable_node())) node->set_op_type(any(operators));
        break;
      case 1:
        rewire();
        break;
      case 2:
      case 3:
        change_attribute();
        break;
      case 4:
      case 5:
        if (TensorProto* tensor = one_of(graph_.mutable_initializer())) change_tensor(*tensor);
        break;
      case 6:
        insert();
        break;
      case 7:
        change_input();
        break;
      default:
        if (auto* version = one_of(model_.mutable_opset_import()))
          version->set_version(static_cast<std::int64_t>(5 + below(19)));
    }
  }

  void rewire() {
    NodeProto* node = one_of(graph_.mutable_node());
    if (node == nullptr) return;
    switch (node->input_size() == 0 ? 0 : below(4)) {
      case 0:
        node->add_input(any(names_));
        break;
      case 1:
        node->mutable_input()->RemoveLast();
        break;
      case 2:
        node->add_output("more" + std::to_string(names_.size()));
        break;
      default:
        *one_of(node->mutable_input()) = any(names_);
    }
  }

  void change_list(google::protobuf::RepeatedField<std::int64_t>& list) {
    if (list.empty() || below(4) == 0)
      list.Add(number(1));
    else if (below(4) == 0)
      list.RemoveLast();
    else
      *one_of(&list) = number(list.Get(static_cast<int>(below(static_cast<std::size_t>(list.size())))));
  }

  void change_attribute() {
    NodeProto* node = one_of(graph_.mutable_node());
    if (node == nullptr) return;
    AttributeProto* attribute = below(3) == 0 ? nullptr : one_of(node->mutable_attribute());
    if (attribute == nullptr) {
      attribute = node->add_attribute();
      attribute->set_name(any(attributes));
      constexpr std::array kinds = {AttributeProto::INT, AttributeProto::INTS, AttributeProto::FLOAT,
                                    AttributeProto::STRING, AttributeProto::TENSOR};
      attribute->set_type(any(kinds));
    }
    if (attribute->type() == AttributeProto::INT) attribute->set_i(number(attribute->i()));
    if (attribute->type() == AttributeProto::INTS) change_list(*attribute->mutable_ints());
    if (attribute->type() == AttributeProto::FLOAT) attribute->set_f(static_cast<float>(number(1)));
    if (attribute->type() == AttributeProto::STRING) attribute->set_s(any(texts));
    if (attribute->type() == AttributeProto::TENSOR) change_tensor(*attribute->mutable_t());
  }

  /// A new shape, with as many entries as it asks for where these are few; or other integers.
  void change_tensor(TensorProto& tensor) {
    auto* dims = tensor.mutable_dims();
    if (tensor.data_type() == TensorProto::INT64 && tensor.raw_data().size() >= sizeof(std::int64_t) &&
        below(2) == 0) {
      std::string& raw = *tensor.mutable_raw_data();
      const std::size_t at = below(raw.size() / sizeof(std::int64_t)) * sizeof(std::int64_t);
      std::int64_t entry = 0;
      std::memcpy(&entry, raw.data() + at, sizeof entry);
      entry = number(entry);
      std::memcpy(raw.data() + at, &entry, sizeof entry);
      return;
    }
    if (below(8) == 0) {
      constexpr std::array types = {TensorProto::FLOAT,  TensorProto::INT64,  TensorProto::BOOL,
                                    TensorProto::INT32,  TensorProto::DOUBLE, TensorProto::UINT8,
                                    TensorProto::FLOAT16};
      tensor.set_data_type(any(types));
    } else {
      change_list(*dims);
    }
    std::size_t width = 4;
    if (tensor.data_type() == TensorProto::INT64 || tensor.data_type() == TensorProto::DOUBLE) width = 8;
    if (tensor.data_type() == TensorProto::BOOL || tensor.data_type() == TensorProto::UINT8) width = 1;
    if (tensor.data_type() == TensorProto::FLOAT16) width = 2;
    std::size_t bytes = width;
    for (const std::int64_t length : *dims) {
      if (length < 0 || length > 64 || bytes > 4096) return;  // claims more than it has
      bytes *= static_cast<std::size_t>(length);
    }
    tensor.mutable_raw_data()->resize(bytes, '\1');
  }

  /// A node of constants or data in front of an input.
  void insert() {
    NodeProto* user = one_of(graph_.mutable_node());
    if (user == nullptr || user->input_size() == 0 || graph_.node_size() > 60) return;
    const std::string name = "new" + std::to_string(names_.size());
    std::string* input = one_of(user->mutable_input());
    NodeProto made;
    made.set_op_type(any(operators));
    made.add_input(*input);
    for (std::size_t more = below(3); more > 0; --more) made.add_input(any(names_));
    made.add_output(name);
    *input = name;
    *graph_.add_node() = made;
    names_.push_back(name);
  }

  void change_input() {
    auto* input = one_of(graph_.mutable_input());
    if (input == nullptr) return;
    auto* shape = input->mutable_type()->mutable_tensor_type()->mutable_shape();
    auto* dim = below(5) == 0 ? shape->add_dim() : one_of(shape->mutable_dim());
    if (dim == nullptr) return;
    if (below(4) == 0)
      dim->set_dim_param("N");
    else
      dim->set_dim_value(number(dim->dim_value()));
  }

  onnx::ModelProto& model_;
  GraphProto& graph_;
  std::minstd_rand random_;
  std::vector<std::string> names_;
};

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
  onnx::ModelProto model;
  const bool as_bytes =
      seed % 2 == 0 || !model.ParseFromArray(data, static_cast<int>(size)) || !model.has_graph();
  if (as_bytes) return LLVMFuzzerMutate(data, size, most);
  Mutator(model, seed / 2).change();
  std::string changed;
  if (!model.SerializeToString(&changed) || changed.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}
