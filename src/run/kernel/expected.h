#pragma once
// Not for other rooms: a kernel's plan in words and numbers, told from shapes alone.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tangra/kernel/assembly.h"
#include "tangra/linalg/rates.h"
#include "tangra/run/result.h"

namespace tangra::run {

/// Of what a plan is told.
struct PlanSize {
  double samples = 0;           ///< whose factors are made, those of both sets
  double pairs = 0;             ///< that are computed
  std::size_t entry_bytes = 0;  ///< of the arithmetic's type
  /// Multiply-adds in a second, where they have been measured.
  std::optional<double> rate = {};
};

/// One row for each contraction. name(parameter) is what it is called.
std::vector<PlanRow> plan_rows(const factors::ContractionPlan& plan, const std::vector<std::string>& parts, const PlanSize& size,
                               const std::function<std::string(ParameterId)>& name);

/// What every step takes: sweeps as often as groups and passes ask for. A step's seconds are those of its multiply-adds (in
/// pairs of samples each with its order's weight) and of its bytes at the rates of large products and of memory.
template <class T>
std::vector<ExpectedStep> expected_steps(const kernel::Assembly<T>& assembly, const kernel::AssemblyReport& report,
                                         const std::optional<linalg::Rates>& rates);

extern template std::vector<ExpectedStep> expected_steps<float>(const kernel::Assembly<float>&, const kernel::AssemblyReport&,
                                                                const std::optional<linalg::Rates>&);
extern template std::vector<ExpectedStep> expected_steps<double>(const kernel::Assembly<double>&, const kernel::AssemblyReport&,
                                                                 const std::optional<linalg::Rates>&);

}  // namespace tangra::run
