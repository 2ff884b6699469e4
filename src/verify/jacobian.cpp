// The kernel by the explicit Jacobian: every use of a parameter pulled back, then the Gram matrix in plain
// loops.
#include "tangra/verify/explicit_jacobian.h"

namespace tangra::verify {
namespace {

class Jacobian final : public Method {
 public:
  explicit Jacobian(const VerifyOptions& options) : options_(options) {}
  std::string name() const override { return "jacobian"; }

  MethodResult run(const Problem& problem, const Context& context) const override {
    const Reservation held = reserve_jacobian(problem, context);
    const differentiate::Program<double> program(problem.graph, context, linalg::Engine::reference);
    const std::vector<ParameterId> parameters = trainable_parameters(*problem.graph);
    const std::vector<Tensor<double>> rows = explicit_jacobian(program, problem, context);
    MethodResult result;
    for (std::size_t k = 0; k < rows.size(); ++k) {
      result.kernels.push_back(gram(rows[k], problem, context));
      result.along_random.push_back(along_random(rows[k], parameters[k]));
    }
    return result;
  }

 private:
  Tensor<double> along_random(const Tensor<double>& rows, ParameterId parameter) const {
    const Index count = rows.shape()[0];
    const Index size = rows.shape()[1];
    Tensor<double> result(Shape{options_.directions, count});
    for (int k = 0; k < options_.directions; ++k) {
      const std::vector<double> direction = random_direction(options_.seed, parameter, k, size);
      for (Index row = 0; row < count; ++row) {
        double sum = 0;
        for (Index e = 0; e < size; ++e) sum += rows[row * size + e] * direction[static_cast<std::size_t>(e)];
        result[k * count + row] = sum;
      }
    }
    return result;
  }

  VerifyOptions options_;
};

}  // namespace

std::unique_ptr<Method> jacobian_method(const VerifyOptions& options) {
  return std::make_unique<Jacobian>(options);
}

}  // namespace tangra::verify
