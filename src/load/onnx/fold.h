#pragma once
// Not for other rooms: evaluates what depends on no sample and on no parameter, as the shape arithmetic of
// exporters does.
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tangra/base/error.h"
#include "tangra/load/onnx/file_model.h"

namespace tangra::load::onnx {

/// How much memory folded arrays take, and what folding them takes: a small file can ask for huge ones.
/// Memory is given back with the last copy of an array.
class FoldMemory {
 public:
  /// Of this many bytes may be held at a time; four entries for each may be computed in all.
  explicit FoldMemory(Index most_bytes);

  /// The number of entries of a result of this shape, each `width` bytes wide. Throws Error(input), naming
  /// the node, where no array can have the shape or there is no memory for it. Nothing is allocated yet.
  Index check(const FileNode& node, const Shape& shape, std::size_t width);
  /// An array that check() has let pass; `fill` writes its bytes, which are 0.
  template <class Fill>
  Array make(const FileNode& node, DType type, const Shape& shape, const Fill& fill) {
    check(node, shape, bytes_of(type));
    const auto charge =
        std::make_shared<Charge>(held_, shape.elements() * static_cast<Index>(bytes_of(type)));
    charge->array = Array(type, shape, fill);
    return {type, shape, charge->array.data(), charge};
  }
  /// Counts a constant that the network will compute itself, as long as the result lives.
  std::shared_ptr<const void> hold(const FileNode& node, const Shape& shape);
  /// Counts entries that were computed.
  void count(const FileNode& node, Index entries);

  /// What an operator gave for these inputs before, or null. Results are kept as long as there is memory for
  /// all.
  const std::vector<Array>* known(const FileNode& node, std::span<const Array* const> inputs) const;
  void keep(const FileNode& node, std::span<const Array* const> inputs, const std::vector<Array>& results);

 private:
  struct Charge {
    Charge(std::shared_ptr<Index> all, Index own) : held(std::move(all)), bytes(own) { *held += bytes; }
    ~Charge() { *held -= bytes; }
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;
    std::shared_ptr<Index> held;
    Index bytes;
    Array array;
  };
  struct Known {
    std::vector<Array> inputs, results;
  };
  static bool same_inputs(const Known& known, std::span<const Array* const> inputs);

  Index most_bytes_;
  Index entries_left_;
  std::shared_ptr<Index> held_ = std::make_shared<Index>(0);
  std::map<const FileNode*, std::vector<Known>> known_;
};

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

/// The entries of any array as T: Index or double. A real number is truncated to an Index as a cast does it;
/// what no Index can hold becomes 0.
template <class T>
class Entries {
 public:
  explicit Entries(const Array& array);
  T operator[](Index entry) const { return read_(data_, entry); }

 private:
  const std::byte* data_;
  T (*read_)(const std::byte*, Index) = nullptr;
};

extern template class Entries<Index>;
extern template class Entries<double>;

/// Goes over the entries of an array of shape `shape` in row-major order; each lies at offset + position .
/// strides.
class Walk {
 public:
  Walk(const Shape& shape, std::vector<Index> strides, Index offset = 0);
  /// The place of the entry; goes on to the next one, and from the last one to the first.
  Index next() {
    const Index place = place_;
    for (std::size_t axis = lengths_.size(); axis-- > 0;) {
      place_ += strides_[axis];
      if (++position_[axis] < lengths_[axis]) break;
      place_ -= strides_[axis] * lengths_[axis];
      position_[axis] = 0;
    }
    return place;
  }

 private:
  std::vector<Index> lengths_, strides_, position_;
  Index place_;
};

/// The places in an array of shape `own` of the entries of one of shape `shape`, to which it is broadcast.
Walk broadcast_walk(const Shape& own, const Shape& shape);

/// The entries of an array that is broadcast to `shape`, one after the other.
template <class T>
class Walked {
 public:
  Walked(const Array& array, const Shape& shape)
      : entries_(array), walk_(broadcast_walk(array.shape(), shape)) {}
  T next() { return entries_[walk_.next()]; }

 private:
  Entries<T> entries_;
  Walk walk_;
};

/// What an operator of ONNX gives for constant inputs (null where absent). Where a function takes `start`,
/// start() begins the sequence of the result's entries: a call of what it gives is the next one. There may be
/// a second beginning.
struct FoldCall {
  const FileNode& node;
  std::span<const Array* const> inputs;
  Index opset;
  FoldMemory& memory;

  bool has(std::size_t input) const { return input < inputs.size() && inputs[input] != nullptr; }
  /// Throws Error(input) where the input is absent.
  const Array& operator[](std::size_t input) const;
  /// The entries of an input that lists axes or lengths. Throws Error(input) where it is too long for one.
  std::vector<Index> list(std::size_t input) const;

  /// Memory for an array, filled with bytes.
  template <class Fill>
  Array make(DType type, const Shape& shape, const Fill& fill) const {
    memory.count(node, memory.check(node, shape, bytes_of(type)));
    return memory.make(node, type, shape, fill);
  }
  /// Real numbers: kept as float32 where that is exact, as it is for masks, and as float64 elsewhere.
  template <class Start>
  Array reals(const Shape& shape, const Start& start) const {
    const Index count = memory.check(node, shape, sizeof(float));
    memory.count(node, count);
    bool exact = true;
    auto ahead = start();
    for (Index k = 0; k < count && exact; ++k) {
      const double entry = ahead();
      exact = !std::isfinite(entry) || (std::abs(entry) <= std::numeric_limits<float>::max() &&
                                        static_cast<double>(static_cast<float>(entry)) == entry);
    }
    return exact ? numbers<float>(shape, start()) : numbers<double>(shape, start());
  }
  template <class Start>
  Array integers(DType type, const Shape& shape, const Start& start) const {
    return make(type, shape, [&](std::span<std::byte> target) {
      auto next = start();
      TANGRA_ENSURE(with_integer_type(type, [&]<class T>(T) { write<T>(target, next); }));
    });
  }
  /// Entries of one array: the sequence says which ones; -1 stands for 0.
  template <class Start>
  Array picked(const Array& source, const Shape& shape, const Start& start) const {
    const std::size_t width = bytes_of(source.type());
    return make(source.type(), shape, [&](std::span<std::byte> target) {
      auto next = start();
      for (std::size_t at = 0; at < target.size(); at += width) {
        const Index from = next();
        TANGRA_ENSURE(from < source.size());
        if (from >= 0)
          std::memcpy(target.data() + at, source.data() + static_cast<std::size_t>(from) * width, width);
      }
    });
  }

 private:
  template <class T, class Next>
  static void write(std::span<std::byte> target, Next& next) {
    for (std::size_t k = 0; k * sizeof(T) < target.size(); ++k)
      reinterpret_cast<T*>(target.data())[k] = static_cast<T>(next());
  }
  template <class T, class Next>
  Array numbers(const Shape& shape, Next next) const {
    return memory.make(node, dtype_of<T>(), shape,
                       [&](std::span<std::byte> target) { write<T>(target, next); });
  }
};

using Fold = std::vector<Array> (*)(const FoldCall&);

/// The evaluator of this operator, or null: such a constant is left to the network. Real numbers are computed
/// in float64 and stay so: rounding to float32 is the last step of a run, not of the file.
Fold find_fold(const FileNode& node);

/// Throws Error(input) for a node of the file that does not fit.
[[noreturn]] void refuse_node(const FileNode& node, std::string what, std::string got = {},
                              std::string expected = {}, std::string cure = {});
/// The entries of an array of integers or truth values.
std::vector<Index> integers_of(const Array& array);
/// The entries of any array, as float64.
std::vector<double> reals_of(const Array& array);
/// Small arrays from entries.
Array integer_array(Shape shape, std::span<const Index> entries, DType type = DType::int64);
Array real_array(Shape shape, std::span<const double> entries);
/// `axis` counted from the front.
Index axis_in(const FileNode& node, Index axis, Index rank);

/// The lengths of Split's parts along an axis of `length`: given, the attribute, or equal.
std::vector<Index> split_lengths(const FileNode& node, Index length, std::optional<std::vector<Index>> given);

/// The tables of the two sources.
Fold find_arithmetic_fold(std::string_view op);
Fold find_index_fold(std::string_view op);

/// The shape that ONNX's Reshape asks for. `wanted` has 0 for "as it is" (unless allow_zero) and -1 for "the
/// rest". Nothing where the numbers of entries differ.
std::optional<Shape> reshaped(const Shape& input, std::span<const Index> wanted, bool allow_zero);

}  // namespace tangra::load::onnx
