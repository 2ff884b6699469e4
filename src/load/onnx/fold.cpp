#include "tangra/load/onnx/fold.h"

#include <algorithm>

#include "tangra/base/error.h"

namespace tangra::load::onnx {
namespace {

/// Calls `work` with a zero of the integer type; false where `type` is none.
template <class Work>
bool with_integer_type(DType type, const Work& work) {
  switch (type) {
    case DType::int64:
      work(std::int64_t{});
      return true;
    case DType::int32:
      work(std::int32_t{});
      return true;
    case DType::int16:
      work(std::int16_t{});
      return true;
    case DType::int8:
      work(std::int8_t{});
      return true;
    case DType::uint64:
      work(std::uint64_t{});
      return true;
    case DType::uint32:
      work(std::uint32_t{});
      return true;
    case DType::uint16:
      work(std::uint16_t{});
      return true;
    case DType::uint8:
      work(std::uint8_t{});
      return true;
    case DType::boolean:
      work(bool{});
      return true;
    default:
      return false;
  }
}

}  // namespace

void refuse_node(const FileNode& node, std::string what, std::string got, std::string expected,
                 std::string cure) {
  throw Error(ErrorKind::input, {.what = std::move(what),
                                 .where = "node " + node.name + " (" + node.op + ")",
                                 .got = std::move(got),
                                 .expected = std::move(expected),
                                 .cure = std::move(cure)});
}

void FoldBudget::take(const FileNode& node, const Shape& shape) {
  Index entries = 1;
  for (const Index length : shape) {
    if (length < 0) refuse_node(node, "the result has a negative length", to_string(shape));
    if (length > 0 && __builtin_mul_overflow(entries, length, &entries)) entries = left_ + 1;
    if (entries > left_) refuse_node(node, "constants of the network grow too large", to_string(shape));
  }
  left_ -= entries;
}

const Array& FoldCall::operator[](std::size_t input) const {
  if (!has(input)) refuse_node(node, "an input is missing", "input " + std::to_string(input) + " is absent");
  return *inputs[input];
}

std::vector<Index> integers_of(const Array& array) {
  std::vector<Index> entries(static_cast<std::size_t>(array.size()));
  const bool integer = with_integer_type(array.type(), [&]<class T>(T) {
    const std::span<const T> source = array.as<T>();
    for (std::size_t k = 0; k < source.size(); ++k) entries[k] = static_cast<Index>(source[k]);
  });
  if (integer) return entries;
  // Truncated as a cast is; what no integer can hold becomes 0.
  const Tensor<double> reals = array.converted<double>();
  for (std::size_t k = 0; k < entries.size(); ++k) {
    const double value = reals[static_cast<Index>(k)];
    entries[k] = value > -9e18 && value < 9e18 ? static_cast<Index>(value) : 0;
  }
  return entries;
}

std::vector<double> reals_of(const Array& array) {
  const Tensor<double> reals = array.converted<double>();
  return {reals.begin(), reals.end()};
}

Array real_array(Shape shape, std::span<const double> entries) {
  return Array(DType::float64, std::move(shape), [&](std::span<std::byte> target) {
    if (!entries.empty()) std::memcpy(target.data(), entries.data(), target.size());
  });
}

Array integer_array(Shape shape, std::span<const Index> entries, DType type) {
  return Array(type, std::move(shape), [&](std::span<std::byte> target) {
    TANGRA_ENSURE(with_integer_type(type, [&]<class T>(T) {
      for (std::size_t k = 0; k < entries.size(); ++k)
        reinterpret_cast<T*>(target.data())[k] = static_cast<T>(entries[k]);
    }));
  });
}

Index axis_in(const FileNode& node, Index axis, Index rank) {
  const Index resolved = axis < 0 ? axis + rank : axis;
  if (resolved < 0 || resolved >= rank) {
    refuse_node(node, "there is no such axis", std::to_string(axis),
                "an axis of an array with " + std::to_string(rank));
  }
  return resolved;
}

Array picked(const Array& source, Shape shape, std::span<const Index> from, const Array* fill) {
  const std::size_t width = bytes_of(source.type());
  TANGRA_ENSURE(fill == nullptr || (fill->type() == source.type() && fill->size() == 1));
  return Array(source.type(), std::move(shape), [&](std::span<std::byte> target) {
    TANGRA_ENSURE(target.size() == from.size() * width);
    for (std::size_t k = 0; k < from.size(); ++k) {
      const bool filled = from[k] < 0;
      TANGRA_ENSURE(filled ? fill != nullptr : from[k] < source.size());
      const std::byte* entry =
          filled ? fill->data() : source.data() + static_cast<std::size_t>(from[k]) * width;
      std::memcpy(target.data() + k * width, entry, width);
    }
  });
}

std::optional<Shape> reshaped(const Shape& input, std::span<const Index> wanted, bool allow_zero) {
  Shape result;
  Index open = -1, known = 1;
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    Index length = wanted[k];
    if (length == 0 && !allow_zero) {
      if (static_cast<Index>(k) >= input.rank()) return std::nullopt;
      length = input[static_cast<Index>(k)];
    }
    if (length < -1 || (length == -1 && open >= 0)) return std::nullopt;
    if (length == -1)
      open = static_cast<Index>(k);
    else if (__builtin_mul_overflow(known, length, &known))
      return std::nullopt;
    result.append(length);
  }
  const Index elements = input.elements();
  if (open >= 0) {
    if (known == 0 || elements % known != 0) return std::nullopt;
    result[open] = elements / known;
    known = elements;
  }
  if (known != elements) return std::nullopt;
  return result;
}

Fold find_fold(const FileNode& node) {
  if (!node.domain.empty()) return nullptr;
  if (const Fold fold = find_index_fold(node.op)) return fold;
  return find_arithmetic_fold(node.op);
}

}  // namespace tangra::load::onnx
