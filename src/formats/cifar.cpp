#include "tangra/formats/cifar.h"

#include <algorithm>
#include <vector>

#include "sizes.h"
#include "tangra/formats/input_file.h"

namespace tangra::formats {
namespace {

constexpr std::size_t picture_bytes = 3 * 32 * 32;
constexpr std::size_t row_bytes = picture_bytes + 1;

Index count_of(const InputFile& file) {
  if (file.size() == 0 || file.size() % row_bytes != 0) {
    refuse(file.name(), "this is not a CIFAR-10 binary file", std::to_string(file.size()) + " bytes",
           "a multiple of 3073 bytes: a label and 3 x 32 x 32 colours for each picture");
  }
  return static_cast<Index>(file.size() / row_bytes);
}

/// Calls each(row, label, colours) for rows [begin, end), read in pieces.
template <class Each>
void for_each_row(const InputFile& file, Index begin, Index end, Each&& each) {
  constexpr Index rows_at_once = 256;
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(rows_at_once, end - begin)) * row_bytes);
  for (Index first = begin; first < end; first += rows_at_once) {
    const Index count = std::min(rows_at_once, end - first);
    const std::span<std::byte> piece(buffer.data(), static_cast<std::size_t>(count) * row_bytes);
    file.read_at(static_cast<std::uint64_t>(first) * row_bytes, piece);
    for (Index i = 0; i < count; ++i) {
      const auto row = piece.subspan(static_cast<std::size_t>(i) * row_bytes, row_bytes);
      each(static_cast<std::size_t>(first - begin + i), row[0], row.subspan(1));
    }
  }
}

}  // namespace

Index cifar_count(const std::filesystem::path& path) {
  return count_of(InputFile(path));
}

CifarRows read_cifar_rows(const std::filesystem::path& path, Index begin, Index end) {
  const InputFile file(path);
  check_rows(Shape{count_of(file), 3, 32, 32}, begin, end, file.name());
  const Index count = end - begin;
  std::vector<std::byte> labels(static_cast<std::size_t>(count));
  CifarRows rows;
  rows.images = Array(DType::uint8, Shape{count, 3, 32, 32}, [&](std::span<std::byte> target) {
    for_each_row(file, begin, end, [&](std::size_t row, std::byte label, std::span<const std::byte> colours) {
      if (std::to_integer<int>(label) > 9) {
        refuse(file.name(),
               "picture " + std::to_string(static_cast<std::size_t>(begin) + row) + " has no valid label",
               std::to_string(std::to_integer<int>(label)), "0 to 9");
      }
      labels[row] = label;
      std::copy(colours.begin(), colours.end(),
                target.begin() + static_cast<std::ptrdiff_t>(row * picture_bytes));
    });
  });
  rows.labels = Array(DType::uint8, Shape{count}, [&](std::span<std::byte> target) {
    std::copy(labels.begin(), labels.end(), target.begin());
  });
  return rows;
}

}  // namespace tangra::formats
