#include "file.h"

namespace tangra::test::onnx {
namespace {

enum AttributeType { is_float = 1, is_int = 2, is_text = 3, is_tensor = 4, is_ints = 7 };

Message value_info(const std::string& name, const std::vector<Axis>& shape, Type type) {
  Message lengths;
  for (const Axis& axis : shape) {
    Message length;
    if (axis.length)
      length.number(1, static_cast<std::uint64_t>(*axis.length));
    else
      length.text(2, axis.name);
    lengths.part(1, length);
  }
  Message tensor;
  tensor.number(1, type).part(2, lengths);
  Message message;
  return message.text(1, name).part(2, Message().part(1, tensor));
}

}  // namespace

Message attribute(const std::string& name, Index value) {
  return Message().text(1, name).number(3, static_cast<std::uint64_t>(value)).number(20, is_int);
}
Message attribute(const std::string& name, float value) {
  return Message().text(1, name).real(2, value).number(20, is_float);
}
Message attribute(const std::string& name, const char* value) {
  return Message().text(1, name).text(4, value).number(20, is_text);
}
Message attribute(const std::string& name, const std::vector<Index>& value) {
  Message message;
  message.text(1, name).number(20, is_ints);
  for (const Index entry : value) message.number(8, static_cast<std::uint64_t>(entry));
  return message;
}
Message attribute(const std::string& name, const Message& tensor) {
  return Message().text(1, name).part(5, tensor).number(20, is_tensor);
}

File& File::input(const std::string& name, const std::vector<Axis>& shape, Type type) {
  graph_.part(11, value_info(name, shape, type));
  return *this;
}

File& File::output(const std::string& name) {
  graph_.part(12, value_info(name, {}, float32));
  return *this;
}

File& File::initializer(const Message& tensor) {
  graph_.part(5, tensor);
  return *this;
}

File& File::node(const std::string& op, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs, const std::vector<Message>& attributes,
                 const std::string& domain) {
  Message message;
  for (const std::string& name : inputs) message.text(1, name);
  for (const std::string& name : outputs) message.text(2, name);
  message.text(3, "N_" + outputs.front()).text(4, op);
  for (const Message& each : attributes) message.part(5, each);
  if (!domain.empty()) message.text(7, domain);
  graph_.part(1, message);
  return *this;
}

std::string File::bytes() const {
  Message message;
  message.number(1, 8).text(2, "tests").part(7, graph_);
  message.part(8, Message().text(1, "").number(2, static_cast<std::uint64_t>(opset_)));
  return message.bytes();
}

}  // namespace tangra::test::onnx
