#include "tangra/load/weights.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tangra/base/error.h"
#include "tangra/formats/npz.h"
#include "tangra/formats/safetensors.h"

namespace tangra::load {
namespace {

using Found = std::map<std::string, Array, std::less<>>;

/// In a checkpoint of a training run: what is not a parameter.
constexpr std::string_view training_prefix = "training:";

enum class FileKind { npz, safetensors };

FileKind kind_of(const std::filesystem::path& path) {
  if (path.extension() == ".npz") return FileKind::npz;
  if (path.extension() == ".safetensors") return FileKind::safetensors;
  throw Error(ErrorKind::usage, {.what = "the name tells no format of weights",
                                 .where = path.string(),
                                 .got = {},
                                 .expected = "a name that ends in .npz or .safetensors",
                                 .cure = {}});
}

[[noreturn]] void fail(const std::filesystem::path& path, std::string what, std::string got = {},
                       std::string expected = {}, std::string cure = {}) {
  throw Error(ErrorKind::input, {.what = std::move(what),
                                 .where = path.string(),
                                 .got = std::move(got),
                                 .expected = std::move(expected),
                                 .cure = std::move(cure)});
}

/// The first names of a list, and how many there are beyond.
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  std::string text;
  for (std::size_t k = 0; k < std::min(most, names.size()); ++k) text += (k == 0 ? "" : ", ") + names[k];
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

Found read_all(const std::filesystem::path& path) {
  formats::NamedArrays arrays =
      kind_of(path) == FileKind::npz ? formats::read_npz(path) : formats::read_safetensors(path).arrays;
  Found found;
  for (auto& [name, array] : arrays) {
    if (name.starts_with(training_prefix)) continue;
    if (!found.emplace(name, std::move(array)).second) fail(path, "two arrays have the same name", name);
  }
  return found;
}

/// PyTorch's BatchNorm stores how many batches it has seen, which nothing is computed with.
bool counts_batches(const Graph& graph, std::string_view name) {
  constexpr std::string_view ending = "num_batches_tracked";
  if (!name.ends_with(ending)) return false;
  const std::string layer(name.substr(0, name.size() - ending.size()));
  return graph.find_parameter(layer + "running_mean") != no_id;
}

/// Every parameter must have its array and every array its parameter.
void check_names(const Graph& graph, const Found& found, const std::filesystem::path& path) {
  std::vector<std::string> missing, extra;
  for (const Parameter& parameter : graph.parameters) {
    if (!found.contains(parameter.name)) missing.push_back(parameter.name);
  }
  for (const auto& [name, array] : found) {
    if (graph.find_parameter(name) == no_id && !counts_batches(graph, name)) extra.push_back(name);
  }
  if (missing.empty() && extra.empty()) return;
  const std::string cure = "The file must hold exactly the parameters of the network, under their names";
  if (missing.empty())
    fail(path, "these arrays are no parameters of the network: " + listed(extra), {}, {}, cure);
  fail(path, "these parameters are missing: " + listed(missing),
       extra.empty() ? std::string{} : "arrays that are no parameters: " + listed(extra), {}, cure);
}

Array checked(const Parameter& parameter, const Array& array, const std::filesystem::path& path) {
  if (array.shape() != parameter.data.shape()) {
    fail(path, "array " + parameter.name + " has another shape than the parameter", to_string(array.shape()),
         to_string(parameter.data.shape()));
  }
  if (!is_floating(array.type())) {
    fail(path, "array " + parameter.name + " cannot hold weights", std::string(name_of(array.type())),
         "float16, float32 or float64");
  }
  return array.type() == DType::float16 ? Array(array.converted<float>()) : array;
}

}  // namespace

void read_weights(Graph& graph, const std::filesystem::path& path) {
  const Found found = read_all(path);
  check_names(graph, found, path);
  std::vector<Array> arrays;
  for (const Parameter& parameter : graph.parameters) {
    arrays.push_back(checked(parameter, found.find(parameter.name)->second, path));
  }
  for (std::size_t k = 0; k < arrays.size(); ++k) {
    graph.parameters[k].data = std::move(arrays[k]);
    graph.parameters[k].initializer.clear();
  }
}

void write_weights(const Graph& graph, const std::filesystem::path& path) {
  formats::NamedArrays arrays;
  for (const Parameter& parameter : graph.parameters) arrays.emplace_back(parameter.name, parameter.data);
  if (kind_of(path) == FileKind::npz)
    formats::write_npz(path, arrays);
  else
    formats::write_safetensors(path, arrays);
}

}  // namespace tangra::load
