#include <charconv>
#include <optional>
#include <string_view>

#include "npy_parts.h"
#include "tangra/formats/sizes.h"

namespace tangra::formats {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::uint32_t longest_header = 1U << 20;
constexpr Index most_axes = 64;  // as NumPy has it

struct NamedType {
  std::string_view code;
  DType type;
};
constexpr NamedType named_types[] = {{"f2", DType::float16}, {"f4", DType::float32}, {"f8", DType::float64},
                                     {"i1", DType::int8},    {"i2", DType::int16},   {"i4", DType::int32},
                                     {"i8", DType::int64},   {"u1", DType::uint8},   {"u2", DType::uint16},
                                     {"u4", DType::uint32},  {"u8", DType::uint64},  {"b1", DType::boolean}};

constexpr bool little_endian = std::endian::native == std::endian::little;

/// Reads the Python dictionary in the header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class Dictionary {
 public:
  Dictionary(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  NpyHeader parse() {
    expect('{');
    while (!take('}')) {
      entry(quoted());
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (!text_.empty()) malformed("something behind the dictionary");
    if (!has_type_ || !has_order_ || !has_shape_) malformed("descr, fortran_order or shape missing");
    return header_;
  }

 private:
  [[noreturn]] void malformed(const std::string& got) const {
    refuse(where_, "the header of the .npy data is malformed", got,
           "a dictionary of descr, fortran_order and shape, as NumPy writes it");
  }
  void skip_blanks() {
    const auto first = text_.find_first_not_of(" \n\t\r");
    text_.remove_prefix(first == std::string_view::npos ? text_.size() : first);
  }
  bool take(char character) {
    skip_blanks();
    if (!text_.starts_with(character)) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char character) {
    if (!take(character)) malformed(std::string("no ") + character + " where one has to be");
  }
  std::string_view quoted() {
    skip_blanks();
    const char quote = text_.empty() ? '\0' : text_[0];
    if (quote != '\'' && quote != '"') malformed("no quoted word where one has to be");
    const auto end = text_.find(quote, 1);
    if (end == std::string_view::npos) malformed("a quoted word without end");
    const std::string_view word = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return word;
  }
  bool truth() {
    skip_blanks();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      return value;
    }
    malformed("a fortran_order that is neither True nor False");
  }
  Index length() {
    skip_blanks();
    Index value = 0;
    const auto [end, code] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (code != std::errc()) malformed("a shape with something that is no 64-bit integer");
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    if (text_.starts_with('L')) text_.remove_prefix(1);  // Python 2's long integers
    return value;
  }
  Shape shape() {
    Shape result;
    expect('(');
    while (!take(')')) {
      if (result.rank() == most_axes) malformed("a shape of more than 64 axes");
      result.append(length());
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return result;
  }
  void type() {
    skip_blanks();
    if (text_.starts_with('[')) unsupported("records of several fields");
    const std::string_view word = quoted();
    const std::string_view code = word.empty() ? word : word.substr(1);
    const char order = word.empty() ? '\0' : word[0];
    for (const NamedType& named : named_types) {
      if (named.code != code) continue;
      if (order != '<' && order != '>' && order != '=' && (order != '|' || bytes_of(named.type) > 1)) break;
      header_.type = named.type;
      header_.reversed = bytes_of(named.type) > 1 && order == (little_endian ? '>' : '<');
      return;
    }
    unsupported("the type \"" + std::string(word.substr(0, 40)) + "\"");
  }
  [[noreturn]] void unsupported(const std::string& got) const {
    refuse(where_, "the array has a type that cannot be used", got,
           "float16, 32 or 64, signed or unsigned integers, or bool",
           "Convert it with NumPy's astype and save it again");
  }
  void entry(std::string_view key) {
    bool& seen = key == "descr" ? has_type_ : key == "fortran_order" ? has_order_ : has_shape_;
    if (key != "descr" && key != "fortran_order" && key != "shape")
      malformed("an unknown word in the dictionary");
    if (seen) malformed("a word twice in the dictionary");
    seen = true;
    expect(':');
    if (key == "descr")
      type();
    else if (key == "fortran_order")
      header_.fortran = truth();
    else
      header_.shape = shape();
  }

  std::string_view text_;
  const std::string& where_;
  NpyHeader header_;
  bool has_type_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

/// The length of the dictionary's text, from the bytes before it.
std::uint32_t text_length(const ReadNext& next, std::uint64_t total, const std::string& where,
                          std::size_t& offset) {
  std::byte start[8];
  if (total == 0) refuse(where, "the file is empty", {}, "a .npy file");
  if (total < 10) refuse(where, "the file ends too early", std::to_string(total) + " bytes", "a .npy header");
  next(start);
  if (std::memcmp(start, magic.data(), magic.size()) != 0) {
    refuse(where, "this is not .npy data", {}, "\\x93NUMPY at its start");
  }
  const int version = std::to_integer<int>(start[6]);
  if (version < 1 || version > 3) {
    refuse(where, "the .npy data have an unknown version", std::to_string(version), "1, 2 or 3");
  }
  const std::size_t digits = version == 1 ? 2 : 4;
  std::byte length[4] = {};
  next(std::span(length).first(digits));
  std::uint32_t value = 0;
  for (std::size_t i = digits; i-- > 0;) value = value * 256 + std::to_integer<std::uint32_t>(length[i]);
  offset = 8 + digits;
  if (value > longest_header || value > total - std::min<std::uint64_t>(total, offset)) {
    refuse(where, "the .npy header claims to be longer than it can be", std::to_string(value) + " bytes",
           "at most " + std::to_string(std::min<std::uint64_t>(longest_header, total)));
  }
  return value;
}

}  // namespace

NpyHeader parse_npy_header(const ReadNext& next, std::uint64_t total, const std::string& where) {
  std::size_t offset = 0;
  std::string text(text_length(next, total, where, offset), '\0');
  next(std::as_writable_bytes(std::span(text)));
  NpyHeader header = Dictionary(text, where).parse();
  header.data_offset = offset + text.size();
  const std::uint64_t bytes = claimed_bytes(header.type, header.shape, where);
  if (total - header.data_offset != bytes) {
    refuse(
        where,
        total - header.data_offset < bytes ? "the data end too early"
                                           : "the data are longer than the header says",
        std::to_string(total - header.data_offset) + " bytes behind the header",
        std::to_string(bytes) + " for " + std::string(name_of(header.type)) + " " + to_string(header.shape));
  }
  return header;
}

std::string npy_header(DType type, const Shape& shape) {
  claimed_bytes(type, shape, {});
  std::string text = "{'descr': '";
  text += bytes_of(type) == 1 ? '|' : little_endian ? '<' : '>';
  for (const NamedType& named : named_types) {
    if (named.type == type) text += named.code;
  }
  text += "', 'fortran_order': False, 'shape': " + to_string(shape) + ", }";
  // NumPy leaves room for the first length to grow to 21 digits.
  if (!shape.empty()) text.append(21 - std::to_string(shape[0]).size(), ' ');
  const bool second = text.size() + 64 + 10 > 0xffff;
  const std::size_t start = second ? 12 : 10;
  text.append((64 - (start + text.size() + 1) % 64) % 64, ' ');
  text += '\n';
  std::string bytes(magic);
  bytes += second ? '\2' : '\1';
  bytes += '\0';
  for (std::size_t i = 0; i < start - 8; ++i) bytes += static_cast<char>((text.size() >> (8 * i)) & 0xff);
  return bytes + text;
}

}  // namespace tangra::formats
