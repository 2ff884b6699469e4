// The kernel by central finite differences of the forward pass in float64, with plain loops for every
// product.
//
// A parameter is stepped entry by entry; one that is too large for that is stepped along the rows of the
// explicit Jacobian, K e = J (J^T e), and along random directions. A step is not usable for a sample where
// some unit stands on different sides of a kink before, at and after it, or where a value is not finite: it
// is skipped and counted, and a smaller one tried. Where none works (a unit exactly at its kink), the
// explicit Jacobian's number stands in and the entry is counted as excluded.
#include <algorithm>
#include <cmath>

#include "tangra/base/error.h"
#include "tangra/verify/explicit_jacobian.h"
#include "tangra/verify/stepper.h"

namespace tangra::verify {
namespace {

/// An estimate counts where its error is within this of the largest derivative by the parameter.
constexpr double usable = 1e-8;

/// Derivatives of all rows along several directions in one parameter's space.
struct Slopes {
  Tensor<double> values;      // [directions, N * R]
  Tensor<double> errors;      // [directions, N * R], rounding noise included
  std::vector<char> settled;  // [directions, N]: 1 where the steps converged by themselves
};

class Differences final : public Method {
 public:
  explicit Differences(const VerifyOptions& options) : options_(options) {}
  std::string name() const override { return "differences"; }
  bool exact() const override { return false; }

  MethodResult run(const Problem& problem, const Context& context) const override {
    const Reservation held = reserve_jacobian(problem, context);
    const Base base(problem, context);
    const Tensor<double> cotangents = problem.basis.seeds(0, base.activations[problem.of]);
    const std::vector<Tensor<double>> rows = explicit_jacobian(base.program, problem, context);
    const std::vector<ParameterId> parameters = trainable_parameters(*problem.graph);
    Run run{.base = base, .cotangents = cotangents, .result = {}};
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      const Parameter& parameter = problem.graph->parameter(parameters[k]);
      const Index excluded = run.result.entries_excluded;
      if (entry_work(base, parameter) <= options_.work_limit) {
        by_entries(run, parameters[k], rows[k]);
        run.result.along_random.emplace_back();
      } else {
        by_directions(run, parameters[k], rows[k]);
        run.result.notes.push_back(
            "differences: " + parameter.name +
            " has too many entries for steps one by one; columns of its kernel are directional "
            "derivatives along J^T e with J^T e from the explicit Jacobian, and J v is compared "
            "along random directions");
      }
      if (run.result.entries_excluded > excluded) {
        run.result.notes.push_back("differences: " + parameter.name + ": no step works for " +
                                   std::to_string(run.result.entries_excluded - excluded) +
                                   " derivatives of a sample; the explicit Jacobian stands in for them");
      }
    }
    return std::move(run.result);
  }

 private:
  struct Run {
    const Base& base;
    const Tensor<double>& cotangents;  // [N, R, O]
    MethodResult result;
  };

  /// Multiply-adds of stepping a parameter entry by entry: some three steps, each with two passes.
  static double entry_work(const Base& base, const Parameter& parameter) {
    const double pass = forward_work(base.program) * static_cast<double>(base.activations.samples()) +
                        static_cast<double>(base.program.graph().parameter_count());
    return 6 * pass * static_cast<double>(parameter.data.size());
  }

  /// `direction(k)` gives direction k. Counts the steps.
  template <class Direction>
  static Slopes slopes(Run& run, ParameterId parameter, Index count, const Direction& direction) {
    const Base& base = run.base;
    const Problem& problem = base.problem;
    const Index samples = base.activations.samples();
    const Index directions = problem.basis.rows();
    const Index outputs = problem.basis.outputs();
    Slopes result{.values = Tensor<double>(Shape{count, samples * directions}),
                  .errors = Tensor<double>(Shape{count, samples * directions}),
                  .settled = std::vector<char>(static_cast<std::size_t>(count * samples), 0)};
    std::vector<Steps> steps(static_cast<std::size_t>(count));
    std::vector<std::unique_ptr<Stepper>> steppers(static_cast<std::size_t>(base.context.pool.size()));
    base.context.pool.parallel_for(count, [&](Index k, int worker) {
      base.context.check_cancelled();
      auto& stepper = steppers[static_cast<std::size_t>(worker)];
      if (stepper == nullptr) stepper = std::make_unique<Stepper>(base);
      const std::vector<Extrapolation> found =
          stepper->derivative(parameter, direction(k), steps[static_cast<std::size_t>(k)]);
      for (Index i = 0; i < samples; ++i) {
        const Extrapolation& own = found[static_cast<std::size_t>(i)];
        result.settled[static_cast<std::size_t>(k * samples + i)] = own.converged(usable);
        for (Index r = 0; r < directions; ++r) {
          const double* c = run.cotangents.data() + (i * directions + r) * outputs;
          const Index at = k * samples * directions + i * directions + r;
          for (std::size_t a = 0; a < own.best().size(); ++a) {
            result.values[at] += c[a] * own.best()[a];
            result.errors[at] += std::abs(c[a]) * own.error()[a];
          }
        }
      }
    });
    for (const Steps& own : steps) {
      run.result.steps += own.taken;
      run.result.steps_skipped += own.skipped;
    }
    return result;
  }

  /// Puts stand_in(direction, row) where no step works, and counts.
  template <class StandIn>
  static void replace_unusable(Run& run, Slopes& found, const StandIn& stand_in) {
    const Index samples = run.base.activations.samples();
    const Index directions = run.base.problem.basis.rows();
    const Index count = found.values.shape()[0];
    double largest = 0;
    for (Index e = 0; e < found.values.size(); ++e) {
      if (found.errors[e] < std::abs(found.values[e])) largest = std::max(largest, std::abs(found.values[e]));
    }
    for (Index item = 0; item < count * samples; ++item) {
      bool good = found.settled[static_cast<std::size_t>(item)] != 0;
      if (!good) {
        good = true;
        for (Index r = 0; r < directions; ++r)
          good = good && found.errors[item * directions + r] <= usable * largest;
      }
      if (good) continue;
      ++run.result.entries_excluded;
      for (Index r = 0; r < directions; ++r) {
        found.values[item * directions + r] = stand_in(item / samples, (item % samples) * directions + r);
        found.errors[item * directions + r] = 0;
      }
    }
  }

  static void by_entries(Run& run, ParameterId parameter, const Tensor<double>& exact) {
    const Index count = exact.shape()[0];
    const Index size = exact.shape()[1];
    Slopes found = slopes(run, parameter, size, [&](Index e) {
      std::vector<double> unit(static_cast<std::size_t>(size), 0);
      unit[static_cast<std::size_t>(e)] = 1;
      return unit;
    });
    replace_unusable(run, found, [&](Index e, Index row) { return exact[row * size + e]; });
    Tensor<double> rows(Shape{count, size});
    Tensor<double> errors(Shape{count});
    for (Index row = 0; row < count; ++row) {
      for (Index e = 0; e < size; ++e) {
        rows[row * size + e] = found.values[e * count + row];
        errors[row] += found.errors[e * count + row] * found.errors[e * count + row];
      }
      errors[row] = std::sqrt(errors[row]);
    }
    run.result.kernels.push_back(gram(rows, run.base.problem, run.base.context));
    run.result.row_errors.push_back(std::move(errors));
  }

  void by_directions(Run& run, ParameterId parameter, const Tensor<double>& exact) const {
    const Index count = exact.shape()[0];
    const Index size = exact.shape()[1];
    std::vector<double> lengths(static_cast<std::size_t>(count));
    for (Index row = 0; row < count; ++row) {
      double sum = 0;
      for (Index e = 0; e < size; ++e) sum += exact[row * size + e] * exact[row * size + e];
      lengths[static_cast<std::size_t>(row)] = std::sqrt(sum);
    }
    const auto along_row = [&](Index row) {
      std::vector<double> direction(exact.data() + row * size, exact.data() + (row + 1) * size);
      const double length = lengths[static_cast<std::size_t>(row)];
      for (double& entry : direction) entry = length == 0 ? 0 : entry / length;
      return direction;
    };
    const auto dot = [&](const std::vector<double>& direction, Index row) {
      double sum = 0;
      for (Index e = 0; e < size; ++e) sum += exact[row * size + e] * direction[static_cast<std::size_t>(e)];
      return sum;
    };
    Slopes columns = slopes(run, parameter, count, along_row);
    replace_unusable(run, columns, [&](Index k, Index row) { return dot(along_row(k), row); });
    // An error of a row along unit directions: it meets the length of the other row in the kernel's entry.
    Tensor<double> errors(Shape{count});
    for (Index k = 0; k < count; ++k) {
      for (Index row = 0; row < count; ++row) {
        errors[row] = std::max(errors[row], columns.errors[k * count + row]);
        columns.values[k * count + row] *= lengths[static_cast<std::size_t>(k)];
      }
    }
    run.result.kernels.push_back(reduced(columns.values, run.base.problem));
    const auto along_random = [&](Index k) {
      return random_direction(options_.seed, parameter, static_cast<int>(k), size);
    };
    Slopes random = slopes(run, parameter, options_.directions, along_random);
    replace_unusable(run, random, [&](Index k, Index row) { return dot(along_random(k), row); });
    for (Index k = 0; k < options_.directions; ++k) {
      for (Index row = 0; row < count; ++row)
        errors[row] = std::max(errors[row], random.errors[k * count + row]);
    }
    run.result.along_random.push_back(std::move(random.values));
    run.result.row_errors.push_back(std::move(errors));
  }

  VerifyOptions options_;
};

}  // namespace

std::unique_ptr<Method> differences_method(const VerifyOptions& options) {
  return std::make_unique<Differences>(options);
}

}  // namespace tangra::verify
