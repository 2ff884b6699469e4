#include "tangra/run/kernel/expected.h"

namespace tangra::run {

std::vector<PlanRow> plan_rows(const factors::ContractionPlan& plan, const std::vector<std::string>& parts, const PlanSize& size,
                               const std::function<std::string(ParameterId)>& name) {
  const auto bytes_of = [&](const factors::OrderCost& cost) {
    return cost.entries * size.samples * static_cast<double>(size.entry_bytes);
  };
  std::vector<PlanRow> rows;
  for (const factors::Contraction& contraction : plan.contractions) {
    const factors::OrderCost& cost = contraction.cost;
    PlanRow row{.parameter = name(contraction.parameter) + (contraction.bias_term >= 0 ? " with its bias" : ""),
                .part = parts[static_cast<std::size_t>(contraction.part)],
                .order = std::string(factors::name_of(contraction.order)), .reason = contraction.reason,
                .multiply_adds = cost.multiply_adds, .total_multiply_adds = cost.total(size.samples, size.pairs),
                .bytes = bytes_of(cost)};
    if (size.rate) row.seconds = cost.weighted(size.samples, size.pairs) / *size.rate;
    for (const factors::OrderCost& other : contraction.orders) {
      row.orders.push_back({.order = std::string(factors::name_of(other.order)),
                            .multiply_adds = other.total(size.samples, size.pairs), .bytes = bytes_of(other)});
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

template <class T>
std::vector<ExpectedStep> expected_steps(const kernel::Assembly<T>& assembly, const kernel::AssemblyReport& report,
                                         const std::optional<linalg::Rates>& rates) {
  const kernel::PredictedWork work = kernel::predicted_work(assembly, report);
  const factors::SampleCounts counts{.rows = assembly.rows->samples(),
                                     .columns = assembly.columns == nullptr ? 0 : assembly.columns->samples()};
  double weighted = 0;
  for (const factors::Contraction& contraction : report.plan.contractions) {
    weighted += contraction.cost.weighted(0, counts.pairs());
  }
  std::vector<ExpectedStep> steps;
  const auto add = [&](const char* step, const factors::Work& own, double large) {
    steps.push_back({.step = step, .multiply_adds = own.multiply_adds, .bytes = own.bytes});
    if (!rates) return;
    const double rate = std::is_same_v<T, float> ? rates->float32_multiply_adds : rates->float64_multiply_adds;
    steps.back().seconds = large / rate + own.bytes / rates->written_bytes;
  };
  add("forward", work.forward, work.forward.multiply_adds);
  add("reverse", work.reverse, work.reverse.multiply_adds);
  add("packing", work.packing, work.packing.multiply_adds);
  add("contraction", work.contraction, weighted);
  return steps;
}

template std::vector<ExpectedStep> expected_steps<float>(const kernel::Assembly<float>&, const kernel::AssemblyReport&,
                                                         const std::optional<linalg::Rates>&);
template std::vector<ExpectedStep> expected_steps<double>(const kernel::Assembly<double>&, const kernel::AssemblyReport&,
                                                          const std::optional<linalg::Rates>&);

}  // namespace tangra::run
