#include <algorithm>
#include <cmath>

#include "tangra/base/error.h"
#include "tangra/formats/input_file.h"
#include "tangra/infinite/dense_chain.h"
#include "tangra/run/kernel/network_kernel.h"
#include "tangra/run/session.h"
#include "widths.h"

namespace tangra::run {
namespace {

constexpr Index corner_size = 4;

KernelStatistics statistics_of(const Tensor<double>& k) {
  KernelStatistics statistics;
  const Index rows = k.shape()[0], columns = k.shape()[1];
  for (Index i = 0; i < std::min(rows, columns); ++i) {
    const double entry = k[i * columns + i];
    statistics.trace += entry;
    statistics.smallest_diagonal = i == 0 ? entry : std::min(statistics.smallest_diagonal, entry);
    statistics.largest_diagonal = i == 0 ? entry : std::max(statistics.largest_diagonal, entry);
  }
  for (const double entry : k) statistics.largest_entry = std::max(statistics.largest_entry, std::abs(entry));
  for (Index i = 0; i < std::min(rows, corner_size); ++i) {
    const double* row = k.data() + i * columns;
    statistics.corner.emplace_back(row, row + std::min(columns, corner_size));
  }
  return statistics;
}

std::string convention(const InfiniteSpec& spec) {
  if (spec.kind == InfiniteKind::nngp) return "covariance of an output at two samples over random networks, hidden widths infinite";
  const bool standard = spec.model.parameterization == "standard";
  return std::string("tangent kernel of one output, hidden widths infinite; K of different outputs is 0") +
         (standard ? "; standard parameterisation: each layer's part grows with its width, which is that of the chain" : "");
}

/// The finite network's own kernel of its first output, against the closed form.
FiniteComparison compared(const InfiniteSpec& spec, Loaded rows, std::optional<Loaded> columns, const Tensor<double>& limit,
                          Session& session) {
  KernelSpec kernel;
  kernel.model = spec.model;
  kernel.data = spec.data;
  kernel.data2 = spec.data2;
  kernel.reduce = "output=0";
  kernel.resources = spec.resources;
  const KernelJob job = kernel_job(kernel, rows, columns ? &*columns : nullptr);
  const NetworkMatrix finite = network_matrix(job, DType::float64, session);
  FiniteComparison result{.distance = 0, .largest = 0, .precision = "float64"};
  double squares = 0, scale = 0, largest = 0;
  for (Index i = 0; i < limit.size(); ++i) {
    const double difference = finite.entries[i] - limit[i];
    squares += difference * difference;
    scale += limit[i] * limit[i];
    largest = std::max(largest, std::abs(limit[i]));
    result.largest = std::max(result.largest, std::abs(difference));
  }
  result.distance = std::sqrt(squares / scale);
  result.largest /= largest;
  return result;
}

/// The chain itself: the text, or what the file holds that it names.
std::string chain_text(const load::ModelSpec& model) {
  return load::is_chain_text(model.text) ? model.text : formats::InputFile(model.text).read_all();
}

/// Networks with other hidden widths, each against its own closed form: the standard parameterisation's depends on them.
std::vector<std::pair<Index, double>> distances(const InfiniteSpec& spec, const Caller& caller) {
  const std::string chain = chain_text(spec.model);
  std::vector<std::pair<Index, double>> result;
  InfiniteSpec one = spec;
  one.model.graph = nullptr;
  one.widths.clear();
  one.compare = true;
  one.out.clear();
  for (const Index width : spec.widths) {
    one.model.text = with_hidden_width(chain, width);
    for (Index k = 0; k < spec.seeds; ++k) {
      one.model.seed = spec.model.seed.value_or(0) + static_cast<std::uint64_t>(k);
      result.emplace_back(width, run_infinite(one, caller).comparison->distance);
    }
  }
  std::ranges::stable_sort(result, {}, &std::pair<Index, double>::first);
  return result;
}

}  // namespace

void InfiniteSpec::validate() const {
  if (!model.weights.empty()) {
    throw Error(ErrorKind::usage, {.what = "a network of infinite width has no weights of its own", .where = "--weights",
                                   .got = model.weights, .expected = {}, .cure = "Leave it out"});
  }
  if (compare && kind == InfiniteKind::nngp) {
    throw Error(ErrorKind::usage, {.what = "one network has a tangent kernel, but no covariance of outputs", .where = "--compare",
                                   .got = "--kind nngp", .expected = "--kind ntk", .cure = {}});
  }
  if (!widths.empty() && kind == InfiniteKind::nngp) {
    throw Error(ErrorKind::usage, {.what = "one network has a tangent kernel, but no covariance of outputs", .where = "--widths",
                                   .got = "--kind nngp", .expected = "--kind ntk", .cure = {}});
  }
  if (!widths.empty() && std::ranges::all_of(widths, [&](Index width) { return width == widths.front(); })) {
    throw Error(ErrorKind::usage, {.what = "one width has no slope", .where = "--widths", .got = std::to_string(widths.front()),
                                   .expected = "two different ones or more", .cure = {}});
  }
  if (seeds < 1) {
    throw Error(ErrorKind::usage, {.what = "there has to be a network of each width", .where = "--seeds", .got = std::to_string(seeds),
                                   .expected = "1 or more", .cure = {}});
  }
  check_out(out, existing, {".npy"});
}

InfiniteResult run_infinite(const InfiniteSpec& spec, const Caller& caller) {
  spec.validate();
  Session session(spec.resources, caller);
  const Context& context = session.context();
  const Loaded rows = load(spec.model, spec.data);
  std::optional<Loaded> columns;
  if (spec.data2) columns = load_second(rows, *spec.data2);
  session.step("load");
  session.count_resident();

  InfiniteResult result{.model = rows.model, .data = rows.summary, .conventions = convention(spec), .out = spec.out};
  if (columns) result.data2 = columns->summary;
  result.kind = spec.kind == InfiniteKind::ntk ? "ntk" : "nngp";
  std::vector<infinite::Layer> layers;
  for (const infinite::NamedLayer& each : infinite::read_dense_chain(*rows.graph)) {
    layers.push_back(each.layer);
    result.layers.push_back({.name = each.name, .in = each.in, .out = each.out, .sigma_w = std::sqrt(each.layer.weight_variance),
                             .sigma_b = std::sqrt(each.layer.bias_variance), .activation = each.activation});
  }
  const auto features = [](const Tensor<double>& x) { return matrix<const double>(x.data(), x.shape()[0], x.shape()[0] == 0 ? 0 : x.size() / x.shape()[0]); };
  const Tensor<double> x = rows.inputs.converted<double>();
  const Tensor<double> y = columns ? columns->inputs.converted<double>() : Tensor<double>();
  const Index n1 = x.shape()[0], n2 = columns ? y.shape()[0] : n1;
  const Reservation memory(context.memory, static_cast<std::size_t>(n1 * n2) * sizeof(double), "the kernel");
  const MatrixView<const double> others = columns ? features(y) : MatrixView<const double>{};
  Tensor<double> k = infinite::closed_form(layers, spec.kind == InfiniteKind::ntk ? infinite::Kind::ntk : infinite::Kind::nngp,
                                           features(x), columns ? &others : nullptr, context);
  session.step("closed form");
  result.shape = k.shape();
  result.statistics = statistics_of(k);
  if (spec.compare) {
    result.comparison = compared(spec, rows, columns, k, session);
    session.step("comparison");
  }
  if (!spec.widths.empty()) {
    if (result.layers.size() < 2) {
      throw Error(ErrorKind::usage, {.what = "the network has no hidden layer whose width could be changed", .where = "--widths",
                                     .got = rows.model.text, .expected = "two Dense layers or more", .cure = {}});
    }
    result.convergence = distances(spec, caller);
    if (spec.widths.size() > 1) result.slope = slope_of(result.convergence);
    session.step("widths");
  }
  result.arrays.push_back({"total", Array(std::move(k))});
  write_arrays(spec.out, result.arrays);
  if (!spec.out.empty()) result.arrays.clear();
  std::vector<std::uint64_t> fingerprints{rows.data.fingerprint};
  if (columns) fingerprints.push_back(columns->data.fingerprint);
  result.provenance = session.provenance(fingerprint(*rows.graph), std::move(fingerprints));
  return result;
}

}  // namespace tangra::run
