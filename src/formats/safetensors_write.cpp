#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "safetensors_types.h"
#include "sizes.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/formats/safetensors.h"

namespace tangra::formats {
namespace {

/// The order of the arrays in the data: wide types first, so that each is aligned to its own width.
std::vector<std::size_t> data_order(const NamedArrays& arrays) {
  std::vector<std::size_t> order(arrays.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return bytes_of(arrays[a].second.type()) > bytes_of(arrays[b].second.type());
  });
  return order;
}

std::string header_of(const NamedArrays& arrays, const std::map<std::string, std::string>& metadata,
                      const std::vector<std::size_t>& order, const std::string& where) {
  std::vector<std::uint64_t> offsets(arrays.size());
  std::uint64_t place = 0;
  for (const std::size_t i : order) {
    offsets[i] = place;
    place += arrays[i].second.bytes();
  }
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string> seen{"__metadata__"};
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const auto& [key, array] = arrays[i];
    if (!seen.insert(key).second) refuse(where + ":" + key, "two arrays have this name");
    std::string type;
    for (const SafeTensorsType& known : safetensors_types) {
      if (known.type == array.type()) type = known.name;
    }
    header[key] = {{"dtype", type},
                   {"shape", array.shape().lengths()},
                   {"data_offsets", {offsets[i], offsets[i] + array.bytes()}}};
  }
  try {
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
  } catch (const nlohmann::json::exception&) {
    refuse(where, "a name or the metadata cannot be written", "bytes that are not UTF-8", "UTF-8");
  }
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const NamedArrays& arrays,
                       const std::map<std::string, std::string>& metadata) {
  const std::vector<std::size_t> order = data_order(arrays);
  const std::string header = header_of(arrays, metadata, order, path.string());
  AtomicFile file(path);
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>((header.size() >> (8 * i)) & 0xff);
  file.append(length + header);
  for (const std::size_t i : order) {
    const Array& array = arrays[i].second;
    if constexpr (std::endian::native == std::endian::big) {
      std::vector<std::byte> bytes(array.data(), array.data() + array.bytes());
      reverse_bytes(bytes, bytes_of(array.type()));
      file.append(bytes);
    } else {
      file.append(std::span(array.data(), array.bytes()));
    }
  }
  file.commit();
}

}  // namespace tangra::formats
