#include "tangra/load/onnx/fold.h"

#include <algorithm>
#include <limits>

#include "tangra/base/error.h"

namespace tangra::load::onnx {
namespace {

/// An array of more axes than this is none that a network has.
constexpr Index most_axes = 64;

bool same_entries(const Array& a, const Array& b) {
  constexpr std::size_t small = 4096;  // longer ones are the same where they share their memory
  if (a.type() != b.type() || a.shape() != b.shape()) return false;
  return a.data() == b.data() || (a.bytes() <= small && std::memcmp(a.data(), b.data(), a.bytes()) == 0);
}

std::string mebibytes(Index bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

template <class T>
T read_real(double value) {
  if constexpr (std::is_same_v<T, double>) return value;
  return value > -9e18 && value < 9e18 ? static_cast<T>(value) : T{0};
}

template <class T>
auto reader_of(DType type) -> T (*)(const std::byte*, Index) {
  T (*read)(const std::byte*, Index) = nullptr;
  with_integer_type(type, [&]<class From>(From) {
    read = [](const std::byte* data, Index k) {
      return static_cast<T>(reinterpret_cast<const From*>(data)[k]);
    };
  });
  if (type == DType::float32)
    read = [](const std::byte* data, Index k) {
      return read_real<T>(static_cast<double>(reinterpret_cast<const float*>(data)[k]));
    };
  if (type == DType::float64)
    read = [](const std::byte* data, Index k) {
      return read_real<T>(reinterpret_cast<const double*>(data)[k]);
    };
  TANGRA_ENSURE(read != nullptr);  // float16 is float32 from the file on
  return read;
}

template <class T>
std::vector<T> all_of(const Array& array) {
  const Entries<T> source(array);
  std::vector<T> entries(static_cast<std::size_t>(array.size()));
  for (std::size_t k = 0; k < entries.size(); ++k) entries[k] = source[static_cast<Index>(k)];
  return entries;
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

FoldMemory::FoldMemory(Index most_bytes) : most_bytes_(most_bytes), entries_left_(4 * most_bytes) {}

Index FoldMemory::check(const FileNode& node, const Shape& shape, std::size_t width) {
  if (shape.rank() > most_axes)
    refuse_node(node, "the result has too many axes", std::to_string(shape.rank()),
                std::to_string(most_axes) + " at most");
  auto bytes = static_cast<Index>(width);
  bool none = false;
  for (const Index length : shape) {
    if (length < 0) refuse_node(node, "the result has a negative length", to_string(shape));
    none = none || length == 0;
    if (length > 0 && __builtin_mul_overflow(bytes, length, &bytes))
      bytes = std::numeric_limits<Index>::max();
    if (bytes > most_bytes_ && none) refuse_node(node, "no array can have this shape", to_string(shape));
  }
  if (none) return 0;
  if (bytes / static_cast<Index>(width) > most_bytes_ / 8)
    bytes = most_bytes_ + 1;  // whoever uses them may widen them
  if (bytes > most_bytes_ - *held_) known_.clear();
  if (bytes > most_bytes_ - *held_) {
    refuse_node(
        node, "the constants that the network computes grow too large",
        "shape " + to_string(shape) + ", beside " + mebibytes(*held_), mebibytes(most_bytes_) + " at most",
        "Fold the constants into the file (as onnxsim does), or export for one sample or a shorter input");
  }
  return bytes / static_cast<Index>(width);
}

std::shared_ptr<const void> FoldMemory::hold(const FileNode& node, const Shape& shape) {
  constexpr std::size_t width = sizeof(float);
  return std::make_shared<Charge>(held_, check(node, shape, width) * static_cast<Index>(width));
}

void FoldMemory::count(const FileNode& node, Index entries) {
  if (entries > entries_left_) {
    refuse_node(
        node, "the constants that the network computes take too long", {},
        std::to_string(4 * most_bytes_) + " entries in all at most",
        "Fold the constants into the file (as onnxsim does), or export for one sample or a shorter input");
  }
  entries_left_ -= entries;
}

bool FoldMemory::same_inputs(const Known& known, std::span<const Array* const> inputs) {
  if (known.inputs.size() != inputs.size()) return false;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (inputs[k] != nullptr && !same_entries(*inputs[k], known.inputs[k])) return false;
  }
  return true;  // which inputs are absent is the node's
}

const std::vector<Array>* FoldMemory::known(const FileNode& node,
                                            std::span<const Array* const> inputs) const {
  const auto found = known_.find(&node);
  if (found == known_.end()) return nullptr;
  const auto fits = [&](const Known& known) { return same_inputs(known, inputs); };
  const auto known = std::ranges::find_if(found->second, fits);
  return known == found->second.end() ? nullptr : &known->results;
}

void FoldMemory::keep(const FileNode& node, std::span<const Array* const> inputs,
                      const std::vector<Array>& results) {
  constexpr std::size_t most_kept = 4;  // for 1, 2 and 3 samples, and one for luck with readings
  std::vector<Known>& kept = known_[&node];
  if (kept.size() == most_kept) kept.erase(kept.begin());
  Known known{.inputs = {}, .results = results};
  for (const Array* input : inputs) known.inputs.push_back(input == nullptr ? Array() : *input);
  kept.push_back(std::move(known));
}

template <class T>
Entries<T>::Entries(const Array& array) : data_(array.data()), read_(reader_of<T>(array.type())) {}

template class Entries<Index>;
template class Entries<double>;

Walk::Walk(const Shape& shape, std::vector<Index> strides, Index offset)
    : lengths_(shape.begin(), shape.end()),
      strides_(std::move(strides)),
      position_(lengths_.size(), 0),
      place_(offset) {
  TANGRA_ENSURE(strides_.size() == lengths_.size());
}

Walk broadcast_walk(const Shape& own, const Shape& shape) {
  std::vector<Index> strides(static_cast<std::size_t>(shape.rank()), 0);
  const std::vector<Index> dense = own.strides();
  for (Index axis = 0; axis < own.rank(); ++axis) {
    if (own[axis] != 1)
      strides[static_cast<std::size_t>(shape.rank() - own.rank() + axis)] =
          dense[static_cast<std::size_t>(axis)];
  }
  return {shape, std::move(strides)};
}

const Array& FoldCall::operator[](std::size_t input) const {
  if (!has(input)) refuse_node(node, "an input is missing", "input " + std::to_string(input) + " is absent");
  return *inputs[input];
}

std::vector<Index> FoldCall::list(std::size_t input) const {
  const Array& array = (*this)[input];
  if (array.size() > most_axes) {
    refuse_node(node, "a list of axes or lengths is too long", std::to_string(array.size()) + " entries",
                std::to_string(most_axes) + " at most");
  }
  return integers_of(array);
}

std::vector<Index> integers_of(const Array& array) {
  return all_of<Index>(array);
}

std::vector<double> reals_of(const Array& array) {
  return all_of<double>(array);
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
  Index others = 1;  // an array of no entries may have any other lengths, but strides are numbers
  for (const Index length : result) {
    if (length > 0 && __builtin_mul_overflow(others, length, &others)) return std::nullopt;
  }
  return result;
}

Fold find_fold(const FileNode& node) {
  if (!node.domain.empty()) return nullptr;
  if (const Fold fold = find_index_fold(node.op)) return fold;
  return find_arithmetic_fold(node.op);
}

}  // namespace tangra::load::onnx
