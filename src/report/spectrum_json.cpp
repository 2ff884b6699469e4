#include "tangra/report/json_parts.h"

namespace tangra::report {
namespace {

/// The first `top` numbers; all where top is 0.
std::vector<double> leading(std::vector<double> values, Index top) {
  if (top > 0 && static_cast<Index>(values.size()) > top) values.resize(static_cast<std::size_t>(top));
  return values;
}

Object null_spaces_of(const analysis::Spectrum& spectrum) {
  Object list = Object::array();
  for (const analysis::NullSpace& each : spectrum.null_spaces)
    list.push_back({{"dimension", each.dimension}, {"reason", each.reason}});
  return list;
}

Object inertia_of(const analysis::Spectrum& spectrum) {
  if (!spectrum.inertia) return nullptr;
  return {{"at", spectrum.inertia->at},
          {"found_above", spectrum.inertia->found},
          {"counted_above", spectrum.inertia->counted}};
}

Object labels_of(const run::SpectrumResult& result) {
  if (!result.labels) return nullptr;
  const run::LabelFit& fit = *result.labels;
  Object by_class = Object::array(), cumulated_by_class = Object::array();
  for (const auto& column : fit.shares.by_column) by_class.push_back(leading(column, result.top));
  for (const auto& column : fit.shares.cumulated_by_column)
    cumulated_by_class.push_back(leading(column, result.top));
  return {{"classes", fit.classes},
          {"alignment", fit.alignment.plain},
          {"centred_alignment", fit.alignment.centred},
          {"share", leading(fit.shares.share, result.top)},
          {"cumulated_share", leading(fit.shares.cumulated, result.top)},
          {"share_by_class", std::move(by_class)},
          {"cumulated_share_by_class", std::move(cumulated_by_class)}};
}

Object density_of(const run::SpectrumResult& result) {
  if (!result.density) return nullptr;
  return {{"edges", result.density->edges},
          {"counts", result.density->counts},
          {"below", result.density->below},
          {"estimated", result.density->estimated}};
}

}  // namespace

std::string json(const run::SpectrumResult& result) {
  const analysis::Spectrum& spectrum = result.spectrum;
  Object object;
  object["command"] = "spectrum";
  object["source"] = result.source;
  object["shape"] = object_of(result.shape);
  object["space"] = result.space;
  object["stored"] = result.stored;
  object["precision"] = result.precision;
  object["size"] = spectrum.size;
  object["method"] = spectrum.method;
  object["converged"] = spectrum.converged;
  object["message"] = spectrum.message.empty() ? Object(nullptr) : Object(spectrum.message);
  object["complete"] = spectrum.complete;
  object["eigenvalues"] = leading(spectrum.eigenvalues, result.top);
  object["residuals"] = leading(spectrum.residuals, result.top);
  object["applications"] = spectrum.applications;
  object["inertia"] = inertia_of(spectrum);
  object["smallest"] = spectrum.smallest;
  object["smallest_is_upper_bound"] = spectrum.smallest_is_upper_bound;
  object["smallest_residual"] = spectrum.smallest_residual;
  object["rounding_bound"] = spectrum.rounding_bound;
  object["rounding_bound_from"] = spectrum.rounding_bound_from;
  object["entry_error_from"] = result.error_source;
  object["verdict"] = spectrum.verdict;
  object["statement"] = spectrum.statement;
  object["advice"] = spectrum.advice;
  object["null_spaces"] = null_spaces_of(spectrum);
  object["within_rounding"] = spectrum.within_rounding;
  object["negative_beyond_rounding"] = spectrum.negative_beyond_rounding;
  object["condition"] = spectrum.condition;
  object["condition_of_range"] = spectrum.condition_of_range;
  object["trace"] = spectrum.trace;
  object["frobenius"] = spectrum.frobenius;
  object["frobenius_error"] = result.frobenius_error;
  object["effective_rank"] = spectrum.effective_rank;
  object["entropy_rank"] = spectrum.entropy_rank;
  object["stable_rank"] = spectrum.stable_rank;
  object["decay"] = {{"exponent", spectrum.decay.exponent}, {"fit", spectrum.decay.fit}};
  object["labels"] = labels_of(result);
  object["labels_note"] = result.labels_note.empty() ? Object(nullptr) : Object(result.labels_note);
  object["density"] = density_of(result);
  object["out"] = result.out.empty() ? Object(nullptr) : Object(result.out);
  add_provenance(object, result.provenance);
  return written(object);
}

}  // namespace tangra::report
