#include "tangra/verify/verify.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "tangra/base/error.h"
#include "tangra/verify/compare.h"

namespace tangra::verify {
namespace {

using Methods = std::span<const std::unique_ptr<Method>>;

/// What stands for a method that could not finish: no comparison with it holds.
MethodResult undefined(const Problem& problem, std::size_t parameters) {
  const factors::RowLayout& layout = problem.reduction.layout;
  const Index height = problem.inputs.shape()[0] * layout.full;
  MethodResult result;
  for (std::size_t k = 0; k < parameters; ++k) {
    result.kernels.emplace_back(Shape{layout.planes, height, height});
    std::ranges::fill(result.kernels.back().span(), std::numeric_limits<double>::quiet_NaN());
  }
  return result;
}

/// Runs a method; numerics that fail become NaN and a note. Adds the kernels up where the method has no
/// total.
MethodResult run_method(const Method& method, const Problem& problem, const Context& context) {
  const std::size_t parameters = trainable_parameters(*problem.graph).size();
  MethodResult result;
  try {
    result = method.run(problem, context);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numerics) throw;
    result = undefined(problem, parameters);
    result.notes.push_back(method.name() + ": " + error.what());
  }
  TANGRA_ENSURE(result.kernels.size() == parameters);
  if (result.total.size() == 0) {
    result.total = Tensor<double>(result.kernels.front().shape());
    for (const Tensor<double>& kernel : result.kernels) {
      TANGRA_ENSURE(kernel.shape() == result.total.shape());
      for (Index e = 0; e < kernel.size(); ++e) result.total[e] += kernel[e];
    }
  }
  return result;
}

bool has_random(const MethodResult& result, std::size_t parameter) {
  return parameter < result.along_random.size() && result.along_random[parameter].size() > 0;
}

/// Every pair of methods, for every parameter and for the total. Random directions are compared where one of
/// the two went along them because it could not go entry by entry.
std::vector<PairResult> compare_all(const Comparison& comparison, Methods methods,
                                    const std::vector<MethodResult>& results) {
  const std::size_t parameters = results.front().kernels.size();
  std::vector<PairResult> pairs;
  for (std::size_t k = 0; k <= parameters; ++k) {
    for (std::size_t a = 0; a < methods.size(); ++a) {
      for (std::size_t b = a + 1; b < methods.size(); ++b) {
        const Comparison::Side first{*methods[a], results[a]};
        const Comparison::Side second{*methods[b], results[b]};
        if (k == parameters) {
          pairs.push_back(comparison.totals(first, second));
          continue;
        }
        pairs.push_back(comparison.kernels(k, first, second));
        if (has_random(results[a], k) && has_random(results[b], k)) {
          pairs.push_back(comparison.along_random(k, first, second));
        }
      }
    }
  }
  return pairs;
}

/// The method that parts from every other one at a parameter, while all others agree.
std::string odd_one(const std::vector<PairResult>& pairs, const std::string& parameter,
                    const std::vector<std::string>& methods) {
  std::string odd;
  if (methods.size() < 3) return odd;
  for (const std::string& candidate : methods) {
    std::vector<std::string> parted;
    bool alone = true;
    for (const PairResult& pair : pairs) {
      if (pair.parameter != parameter || pair.agree) continue;
      if (pair.first != candidate && pair.second != candidate)
        alone = false;
      else
        parted.push_back(pair.first == candidate ? pair.second : pair.first);
    }
    std::ranges::sort(parted);
    parted.erase(std::unique(parted.begin(), parted.end()), parted.end());
    if (alone && parted.size() + 1 == methods.size()) odd = candidate;
  }
  return odd;
}

std::string short_number(double number) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", number);
  return text;
}

void name_first_failure(VerifyResult& result) {
  const auto failed = std::ranges::find(result.pairs, false, &PairResult::agree);
  result.agree = failed == result.pairs.end();
  if (result.agree) return;
  result.failed_parameter = failed->parameter;
  result.odd_one_out = odd_one(result.pairs, failed->parameter, result.methods);
  result.first_failure = failed->parameter + ": " + failed->first + " and " + failed->second +
                         " part: " + (failed->what == "kernel" ? "kernels" : failed->what) + " differ by " +
                         short_number(failed->difference) + " at (" + std::to_string(failed->row) + ", " +
                         std::to_string(failed->column) + "), the bound is " + short_number(failed->bound) +
                         ", the largest entry " + short_number(failed->largest_entry);
  if (!result.odd_one_out.empty()) {
    result.first_failure += "; " + result.odd_one_out + " stands alone against the others";
  }
}

}  // namespace

std::vector<std::unique_ptr<Method>> default_methods(const VerifyOptions& options) {
  std::vector<std::unique_ptr<Method>> methods;
  methods.push_back(structured_method(options.structured));
  methods.push_back(jacobian_method(options));
  methods.push_back(product_method(options));
  methods.push_back(differences_method(options));
  return methods;
}

VerifyResult verify(const Problem& problem, std::span<const std::unique_ptr<Method>> methods,
                    const VerifyOptions& options, const Context& context) {
  check(problem);
  VerifyResult result;
  const auto steps = static_cast<double>(methods.size() + 1);
  context.report("measuring rounding", 0, steps);
  const Scales scales = measure_scales(problem, options, context);
  result.notes = scales.notes;
  std::vector<MethodResult> found;
  for (const auto& method : methods) {
    context.check_cancelled();
    result.methods.push_back(method->name());
    context.report(method->name(), static_cast<double>(result.methods.size()), steps);
    const MethodResult& own = found.emplace_back(run_method(*method, problem, context));
    result.steps += own.steps;
    result.steps_skipped += own.steps_skipped;
    result.entries_excluded += own.entries_excluded;
    result.notes.insert(result.notes.end(), own.notes.begin(), own.notes.end());
  }
  if (!found.empty()) result.pairs = compare_all(Comparison(problem, scales), methods, found);
  name_first_failure(result);
  return result;
}

}  // namespace tangra::verify
