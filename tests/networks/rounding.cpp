#include "networks/rounding.h"

#include <cmath>
#include <limits>

namespace tangra::test::networks {
namespace {

using factors::Contraction;
using factors::FactorBlock;
using factors::Form;
using factors::Order;
using factors::Term;

template <class T>
std::shared_ptr<const Tensor<double>> magnitudes(const std::shared_ptr<const Tensor<T>>& from) {
  if (from == nullptr) return nullptr;
  auto result = std::make_shared<Tensor<double>>(from->shape());
  for (Index e = 0; e < from->size(); ++e) (*result)[e] = std::abs(static_cast<double>((*from)[e]));
  return result;
}

/// The block with absolute values of all factors.
template <class T>
FactorBlock<double> magnitudes(const FactorBlock<T>& block) {
  FactorBlock<double> result{.samples = block.samples, .directions = block.directions, .terms = {}};
  for (const Term<T>& term : block.terms) {
    result.terms.push_back({.place = term.place, .form = term.form, .left = magnitudes<T>(term.left),
                            .right = magnitudes<T>(term.right), .positions = term.positions,
                            .groups = term.groups, .left_by_channel = term.left_by_channel,
                            .right_by_channel = term.right_by_channel, .pixels = nullptr,
                            .pixel_map = nullptr});
    result.terms.back().place.scale = std::abs(term.place.scale);
  }
  return result;
}

/// Roundings that a product of factors passes through before it stands in the kernel.
double roundings(const Contraction& contraction, const FactorBlock<double>& block,
                 const factors::RowLayout& layout) {
  const auto inner = static_cast<double>(layout.inner);
  // Chains of 1024 entries in groups of 16 (contraction.h), and a place's scale.
  const double row = inner * static_cast<double>(contraction.row_entries);
  double sum = contraction.order == Order::explicit_rows ? 1024 + 16 + row / (1024 * 16) + 4 : 4;
  for (const int index : contraction.terms) {
    const Term<double>& term = block.terms[static_cast<std::size_t>(index)];
    const auto positions = static_cast<double>(term.positions);
    if (contraction.order == Order::explicit_rows) {
      sum += positions;
      continue;
    }
    const auto length = [&](Index axis) { return static_cast<double>(term.place.shape[axis]); };
    if (contraction.order == Order::both_grams) {
      sum += inner * length(0) + length(1) + positions * positions;
    } else if (term.form == Form::gather) {
      sum += inner * length(1) * positions * positions;
    } else {
      sum += length(1) + positions + inner * length(0) * positions;
    }
  }
  return sum;
}

/// S of one parameter: [planes, n full, n full].
Tensor<double> sums_of_magnitudes(const FactorBlock<double>& block, ParameterId parameter, Index size,
                                  const factors::RowLayout& layout, const Context& context) {
  Tensor<double> jacobian(Shape{block.samples * block.directions, size});
  factors::add_dense(block, parameter, jacobian.data(), size, context);
  const Index side = block.samples * layout.full;
  const auto row = [&](Index plane, Index a) {
    const Index first = (plane * layout.full + a % layout.full) * layout.inner;
    return jacobian.data() + (a / layout.full * layout.directions() + first) * size;
  };
  Tensor<double> sums(Shape{layout.planes, side, side});
  for (Index entry = 0; entry < sums.size(); ++entry) {
    const double* left = row(entry / side / side, entry / side % side);
    const double* right = row(entry / side / side, entry % side);
    for (Index e = 0; e < layout.inner * size; ++e) sums[entry] += left[e] * right[e];
  }
  return sums;
}

}  // namespace

template <class T>
std::vector<Tensor<double>> rounding_bounds(const SharedGraph& graph, const Tensor<T>& samples,
                                            const std::string& reduce,
                                            const std::vector<const factors::ContractionPlan*>& plans,
                                            const Context& context) {
  const differentiate::Program<T> program(graph, context);
  const ValueId of = graph->outputs.front();
  const Shape& outputs = graph->shape(of);
  const auto lowered = kernel::lower(kernel::parse_reduction(reduce), outputs);
  const differentiate::NetworkFactors<T> source(
      program, samples, of, differentiate::Basis::sums(outputs.elements(), lowered.members), context);
  const FactorBlock<double> block = magnitudes(source.make(0, samples.shape()[0]));
  const kernel::Parts parts = kernel::divide(*graph, kernel::PartsBy::parameter);
  const double unit = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;

  std::vector<Tensor<double>> bounds;
  const Index side = samples.shape()[0] * lowered.layout.full;
  Tensor<double> total(Shape{lowered.layout.planes, side, side});
  for (std::size_t part = 0; part < parts.names.size(); ++part) {
    Tensor<double> bound(total.shape());
    for (ParameterId p = 0; p < static_cast<ParameterId>(graph->parameters.size()); ++p) {
      if (parts.part_of[static_cast<std::size_t>(p)] != static_cast<int>(part)) continue;
      double errors = 0;
      for (const factors::ContractionPlan* plan : plans) {
        double most = 0;
        for (const Contraction& contraction : plan->contractions) {
          if (contraction.part == static_cast<int>(part)) {
            most += roundings(contraction, block, lowered.layout);
          }
        }
        errors += 8 * std::sqrt(most) * unit;
      }
      const Tensor<double> sums =
          sums_of_magnitudes(block, p, graph->parameter(p).data.size(), lowered.layout, context);
      for (Index e = 0; e < bound.size(); ++e) {
        bound[e] += errors * sums[e];
        total[e] += (errors + 2 * unit * static_cast<double>(parts.names.size())) * sums[e];
      }
    }
    bounds.push_back(std::move(bound));
  }
  if (parts.with_total) bounds.push_back(std::move(total));
  return bounds;
}

template std::vector<Tensor<double>> rounding_bounds<float>(
    const SharedGraph&, const Tensor<float>&, const std::string&,
    const std::vector<const factors::ContractionPlan*>&, const Context&);
template std::vector<Tensor<double>> rounding_bounds<double>(
    const SharedGraph&, const Tensor<double>&, const std::string&,
    const std::vector<const factors::ContractionPlan*>&, const Context&);

}  // namespace tangra::test::networks
