// The kernel by forward-mode: the columns of J as push-forwards of the unit tangents, shared over all
// samples; the basis is applied to their results. A parameter too large for that is pushed along the rows of
// the explicit Jacobian: the columns of K as J (J^T e).
#include <algorithm>

#include "tangra/differentiate/sweeps.h"
#include "tangra/verify/explicit_jacobian.h"

namespace tangra::verify {
namespace {

using differentiate::Activations;
using differentiate::Program;

/// Push-forwards of one problem.
class Pusher {
 public:
  Pusher(const Problem& problem, const Context& context)
      : problem_(problem),
        context_(context),
        program_(problem.graph, context, linalg::Engine::reference),
        activations_(differentiate::forward(program_, one_input(problem.inputs.clone()), context)),
        cotangents_(problem.basis.seeds(0, activations_[problem.of])) {}

  const Program<double>& program() const { return program_; }
  Index samples() const { return activations_.samples(); }
  Index rows() const { return samples() * problem_.basis.rows(); }

  /// result [count, N * R]: J_theta applied to `count` tangents that fill(k, tangent) writes, chunk by chunk.
  template <class Fill>
  Tensor<double> push(ParameterId parameter, Index count, const Fill& fill) const {
    const ValueId value = problem_.graph->parameter(parameter).value;
    const Index size = problem_.graph->shape(value).elements();
    const Index chunk = chunk_size(size);
    Tensor<double> result(Shape{count, rows()});
    context_.pool.parallel_for((count + chunk - 1) / chunk, [&](Index item, int) {
      context_.check_cancelled();
      const Index first = item * chunk;
      const Index here = std::min(chunk, count - first);
      Tensor<double> tangents(Shape{here, size});
      for (Index k = 0; k < here; ++k) fill(first + k, tangents.data() + k * size);
      const Tensor<double> moved = differentiate::push_forward<double>(
          program_, activations_, here, {{value, {tangents.data(), 0}}}, problem_.of, context_);
      for (Index k = 0; k < here; ++k) apply_basis(moved, here, k, result.data() + (first + k) * rows());
    });
    return result;
  }

 private:
  /// Tangents that are pushed together: a few MiB of them.
  Index chunk_size(Index size) const {
    Index widest = size;
    for (const Value& value : problem_.graph->values)
      widest = std::max(widest, samples() * value.shape.elements());
    return std::clamp<Index>((Index{1} << 18) / std::max<Index>(1, widest), 1, 64);
  }

  /// Row (i, r) of tangent k: sum_a C_i[r, a] df_a(x_i).
  void apply_basis(const Tensor<double>& moved, Index tangents, Index k, double* result) const {
    const Index outputs = problem_.basis.outputs();
    const Index directions = problem_.basis.rows();
    for (Index i = 0; i < samples(); ++i) {
      for (Index r = 0; r < directions; ++r) {
        double sum = 0;
        for (Index a = 0; a < outputs; ++a) {
          sum += cotangents_[(i * directions + r) * outputs + a] * moved[(i * tangents + k) * outputs + a];
        }
        result[i * directions + r] = sum;
      }
    }
  }

  const Problem& problem_;
  const Context& context_;
  Program<double> program_;
  Activations<double> activations_;
  Tensor<double> cotangents_;  // [N, R, O]
};

class Product final : public Method {
 public:
  explicit Product(const VerifyOptions& options) : options_(options) {}
  std::string name() const override { return "product"; }

  MethodResult run(const Problem& problem, const Context& context) const override {
    const Pusher pusher(problem, context);
    const double work = forward_work(pusher.program()) * static_cast<double>(pusher.samples());
    const std::vector<ParameterId> parameters = trainable_parameters(*problem.graph);
    Reservation held;
    std::vector<Tensor<double>> rows;
    MethodResult result;
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      const ParameterId p = parameters[k];
      const Index size = problem.graph->parameter(p).data.size();
      auto& random = result.along_random.emplace_back();
      if (work * static_cast<double>(size) <= options_.work_limit) {
        result.kernels.push_back(
            by_columns(problem, pusher.push(p, size, [](Index e, double* t) { t[e] = 1; })));
        continue;
      }
      if (rows.empty()) {
        held = reserve_jacobian(problem, context);
        rows = explicit_jacobian(pusher.program(), problem, context);
      }
      const double* from = rows[k].data();
      result.kernels.push_back(
          reduced(pusher.push(p, pusher.rows(),
                              [&](Index row, double* t) { std::copy_n(from + row * size, size, t); }),
                  problem));
      random = pusher.push(p, options_.directions, [&](Index index, double* t) {
        std::ranges::copy(random_direction(options_.seed, p, static_cast<int>(index), size), t);
      });
      result.notes.push_back(
          "product: " + problem.graph->parameter(p).name +
          " has too many entries for one push-forward each; columns of its kernel are J (J^T e) "
          "with J^T e from the explicit Jacobian, and J v is compared along random directions");
    }
    return result;
  }

 private:
  /// K from the columns of J, [size, N * R]: one rank-one step for each column.
  static Tensor<double> by_columns(const Problem& problem, const Tensor<double>& columns) {
    const auto [planes, full, inner] = problem.reduction.layout;
    const Index height = columns.shape()[1] / (planes * inner);
    Tensor<double> kernel(Shape{planes, height, height});
    const auto at = [&](const double* column, Index g, Index row, Index t) {
      return column[(((row / full) * planes + g) * full + row % full) * inner + t];
    };
    for (Index e = 0; e < columns.shape()[0]; ++e) {
      const double* column = columns.data() + e * columns.shape()[1];
      double* to = kernel.data();
      for (Index g = 0; g < planes; ++g) {
        for (Index a = 0; a < height; ++a) {
          for (Index b = 0; b < height; ++b, ++to) {
            for (Index t = 0; t < inner; ++t) *to += at(column, g, a, t) * at(column, g, b, t);
          }
        }
      }
    }
    for (double& entry : kernel) entry /= problem.reduction.divisor;
    return kernel;
  }

  VerifyOptions options_;
};

}  // namespace

std::unique_ptr<Method> product_method(const VerifyOptions& options) {
  return std::make_unique<Product>(options);
}

}  // namespace tangra::verify
