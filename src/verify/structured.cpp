// The kernel by factors and tiles: what `tangra kernel` runs, apart by parameter, and once more as one part,
// where a bias rides along with its layer's weight.
#include "tangra/kernel/assembly.h"
#include "tangra/verify/sided_factors.h"

namespace tangra::verify {
namespace {

template <class T>
std::vector<Tensor<double>> assembled(const Problem& problem, const factors::FactorSource<T>& source,
                                      kernel::PartsBy by, const Context& context) {
  const factors::RowLayout& layout = problem.reduction.layout;
  const Index height = problem.inputs.shape()[0] * layout.full;
  kernel::Assembly<T> assembly;
  assembly.rows = &source;
  assembly.layout = layout;
  assembly.parts = kernel::divide(*problem.graph, by);
  assembly.parts.with_total = false;
  assembly.sizes = parameter_sizes(*problem.graph);
  assembly.divisor = problem.reduction.divisor;
  const Shape shape{layout.planes, height, height};
  kernel::MemoryStore<T> store(assembly.parts.count(), shape, height, height);
  kernel::assemble(assembly, store, context);
  std::vector<Tensor<double>> parts;
  for (int part = 0; part < assembly.parts.count(); ++part) {
    auto& copy = parts.emplace_back(Tensor<double>::uninitialized(shape));
    for (Index e = 0; e < copy.size(); ++e) copy[e] = static_cast<double>(store.part(part)[e]);
  }
  return parts;
}

class Structured final : public Method {
 public:
  explicit Structured(DType type) : single_(type == DType::float32) {}
  std::string name() const override { return "structured"; }
  double unit_roundoff() const override { return single_ ? 0x1p-24 : 0x1p-53; }

  MethodResult run(const Problem& problem, const Context& context) const override {
    const differentiate::Program<double> program(problem.graph, context);
    if (!single_) {
      return kernels_of<double>(
          problem,
          differentiate::NetworkFactors<double>(program, problem.inputs, problem.of, problem.basis, context),
          context);
    }
    const differentiate::Program<float> own(problem.graph, context);
    const Tensor<float> inputs = converted<float>(problem.inputs);
    MethodResult result = kernels_of<float>(
        problem,
        SidedFactors<float, double>(own, inputs, program, problem.inputs, problem.of, problem.basis, context),
        context);
    result.notes.emplace_back("structured: in float32, on the side of every kink on which float64 stands");
    return result;
  }

 private:
  template <class T>
  static MethodResult kernels_of(const Problem& problem, const factors::FactorSource<T>& source,
                                 const Context& context) {
    MethodResult result;
    result.kernels = assembled(problem, source, kernel::PartsBy::parameter, context);
    result.total = std::move(assembled(problem, source, kernel::PartsBy::total, context).front());
    return result;
  }

  bool single_;
};

}  // namespace

std::unique_ptr<Method> structured_method(DType type) {
  return std::make_unique<Structured>(type);
}

}  // namespace tangra::verify
