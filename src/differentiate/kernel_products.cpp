#include "tangra/differentiate/kernel_products.h"

#include "tangra/differentiate/network_factors.h"

namespace tangra::differentiate {
namespace {

template <class T>
std::vector<Tensor<T>> copied(const Tensor<T>& inputs, Index begin, Index end) {
  std::vector<Tensor<T>> list;
  list.push_back(rows_of(inputs, begin, end));
  return list;
}

}  // namespace

template <class T>
KernelProducts<T>::KernelProducts(const Program<T>& program, const Tensor<T>& rows, ValueId of, Basis basis,
                                  const Context& context)
    : program_(program),
      of_(of),
      basis_(std::move(basis)),
      context_(context),
      activations_(forward(program, copied(rows, 0, rows.shape()[0]), context)) {
  require_finite(program, activations_, of, 0);
  seeds_ = basis_.seeds(0, activations_[of]);
}

template <class T>
Tensor<T> KernelProducts<T>::columns(const Tensor<T>& columns, Index sample, const std::vector<bool>& chosen) const {
  const Activations<T> own = forward(program_, copied(columns, sample, sample + 1), context_);
  const Index directions = basis_.rows();
  const auto block = reverse(program_, own, {.of = of_, .parameters = true, .values = {}}, basis_.seeds(sample, own[of_]),
                             context_)
                         .parameters;
  const Graph& graph = program_.graph();
  std::vector<Tensor<T>> gradients;
  gradients.reserve(graph.parameters.size());
  std::map<ValueId, ops::Operand<T>> tangents;
  for (std::size_t p = 0; p < graph.parameters.size(); ++p) {
    if (!graph.parameters[p].trainable || !chosen[p]) continue;
    const Index size = graph.parameters[p].data.size();
    gradients.emplace_back(Shape{directions, size});
    factors::add_dense(block, static_cast<ParameterId>(p), gradients.back().data(), size, context_);
    tangents[graph.parameters[p].value] = {gradients.back().data(), 0};
  }
  const Tensor<T> pushed = push_forward(program_, activations_, directions, tangents, of_, context_);
  const Index outputs = basis_.outputs();
  const Index samples = activations_.samples();
  Tensor<T> result(Shape{samples, directions, directions});
  for (Index i = 0; i < samples; ++i) {
    for (Index r = 0; r < directions; ++r) {
      for (Index s = 0; s < directions; ++s) {
        T sum = 0;
        for (Index a = 0; a < outputs; ++a) {
          sum += seeds_[(i * directions + r) * outputs + a] * pushed[(i * directions + s) * outputs + a];
        }
        result[(i * directions + r) * directions + s] = sum;
      }
    }
  }
  return result;
}

template <class T>
std::size_t product_bytes(const factors::FactorSource<T>& source, Index rows, const Graph& graph) {
  const auto gradients = static_cast<std::size_t>(source.directions() * graph.parameter_count()) * sizeof(T);
  return gradients + static_cast<std::size_t>(rows + 1) * source.bytes_per_sample();
}

template <class T>
void add_column(const Tensor<T>& column, const factors::RowLayout& layout, double divisor, Index j, Index columns,
                Tensor<T>& kernel) {
  const Index directions = layout.directions();
  const Index rows = column.shape()[0], height = rows * layout.full, width = columns * layout.full;
  for (Index i = 0; i < rows; ++i) {
    for (Index g = 0; g < layout.planes; ++g) {
      for (Index f = 0; f < layout.full; ++f) {
        for (Index f2 = 0; f2 < layout.full; ++f2) {
          T sum = 0;
          for (Index t = 0; t < layout.inner; ++t) {
            const Index r = (g * layout.full + f) * layout.inner + t;
            const Index s = (g * layout.full + f2) * layout.inner + t;
            sum += column[(i * directions + r) * directions + s];
          }
          kernel[(g * height + i * layout.full + f) * width + j * layout.full + f2] += sum / static_cast<T>(divisor);
        }
      }
    }
  }
}

template <class T>
void mirror(Tensor<T>& kernel, Index planes, Index side) {
  for (Index plane = 0; plane < planes; ++plane) {
    T* own = kernel.data() + plane * side * side;
    for (Index r = 0; r < side; ++r) {
      for (Index c = 0; c < r; ++c) own[c * side + r] = own[r * side + c];
    }
  }
}

#define TANGRA_INSTANTIATE(T)                                                                                  \
  template std::size_t product_bytes<T>(const factors::FactorSource<T>&, Index, const Graph&);                \
  template void add_column<T>(const Tensor<T>&, const factors::RowLayout&, double, Index, Index, Tensor<T>&); \
  template void mirror<T>(Tensor<T>&, Index, Index);
TANGRA_INSTANTIATE(float)
TANGRA_INSTANTIATE(double)
#undef TANGRA_INSTANTIATE
template class KernelProducts<float>;
template class KernelProducts<double>;

}  // namespace tangra::differentiate
