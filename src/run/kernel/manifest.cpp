#include "tangra/base/hash.h"
#include "tangra/formats/npy.h"
#include "tangra/linalg/simd.h"
#include "tangra/run/kernel/job.h"

namespace tangra::run {
namespace {

const char* name_of(By by) { return by == By::total ? "total" : by == By::layer ? "layer" : "parameter"; }

std::string samples_of(const data::DataSet& data) {
  return std::to_string(data.begin) + ":" + std::to_string(data.end) + " of " + std::to_string(data.total);
}

/// The network, which of its parameters count, and which value is differentiated.
std::uint64_t fingerprint_of(const Graph& graph, ValueId of) {
  Hash hash;
  hash.add(fingerprint(graph));
  for (const Parameter& parameter : graph.parameters) {
    hash.add(static_cast<std::uint64_t>(parameter.trainable));
    hash.add(parameter.layer);
  }
  hash.add(static_cast<std::uint64_t>(of));
  return hash.value();
}

std::string fingerprint_of_basis(const KernelSpec& spec) {
  if (!spec.has_basis()) return {};
  const Array array = spec.basis_array ? *spec.basis_array : formats::read_npy(spec.basis);
  Hash hash;
  hash.add(name_of(array.type()));
  hash.add(to_string(array.shape()));
  hash.add(array.data(), array.bytes());
  return hexadecimal(hash.value());
}

}  // namespace

std::vector<kernel::ManifestEntry> manifest_of(const KernelJob& job, const KernelResult& result) {
  const KernelSpec& spec = job.spec;
  std::vector<kernel::ManifestEntry> entries;
  const auto input = [&](const char* name, std::string value) {
    entries.push_back({.name = name, .value = std::move(value), .option = false});
  };
  const auto option = [&](const char* name, std::string value) {
    entries.push_back({.name = name, .value = std::move(value), .option = true});
  };
  input("version", TANGRA_VERSION);
  input("model", hexadecimal(fingerprint_of(*job.rows.graph, job.of)));
  input("data", hexadecimal(job.rows.data.fingerprint));
  option("samples", samples_of(job.rows.data));
  input("data2", job.columns == nullptr ? std::string() : hexadecimal(job.columns->data.fingerprint));
  option("samples2", job.columns == nullptr ? std::string() : samples_of(job.columns->data));
  option("reduce", result.reduce);
  input("basis", fingerprint_of_basis(spec));
  option("by", name_of(spec.by));
  option("conjugate", spec.conjugate);
  option("method", result.method);
  option("precision", result.precision);
  option("triangle", result.triangle);
  input("simd_target", linalg::simd_target());
  return entries;
}

}  // namespace tangra::run
