// MatMul as NumPy has it: y[.., m, n] = sum_k a[.., m, k] b[.., k, n], the axes before the last two
// broadcast. A vector on the left is one row, on the right one column, and that axis is left out of the
// result.
#include "tangra/ops/loops.h"
#include "tangra/ops/maps.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

using linalg::gemm;

/// The axes before the last two.
Shape batch_of(const Shape& shape) {
  Shape batch;
  for (Index axis = 0; axis + 2 < shape.rank(); ++axis) batch.append(shape[axis]);
  return batch;
}

/// A call as products of matrices. Where b is a single matrix, all rows of a go into one product.
struct Extent {
  Index M;
  Index K;
  Index N;
  Index products;
  std::vector<Index> a;  ///< which matrix of a belongs to each product
  std::vector<Index> b;

  explicit Extent(std::span<const Shape> inputs)
      : M(inputs[0].elements(0, inputs[0].rank() - 1)),
        K(inputs[0].back()),
        N(inputs[1].rank() == 1 ? 1 : inputs[1].back()),
        products(1),
        a{0},
        b{0} {
    if (inputs[1].rank() < 3) return;
    M = inputs[0].rank() == 1 ? 1 : inputs[0][inputs[0].rank() - 2];
    const Shape batch_a = batch_of(inputs[0]);
    const Shape batch_b = batch_of(inputs[1]);
    const Shape batch = broadcast(batch_a, batch_b);
    products = batch.elements();
    a = broadcast_entries(batch_a, batch);
    b = broadcast_entries(batch_b, batch);
  }
  Index size_y() const { return products * M * N; }
  Index work() const { return size_y() * K; }
  Index at_a(Index product) const { return a[static_cast<std::size_t>(product)] * M * K; }
  Index at_b(Index product) const { return b[static_cast<std::size_t>(product)] * K * N; }
};

class MatMul final : public OpOf<MatMul> {
 public:
  std::string_view name() const override { return "MatMul"; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 2, 2);
    const Shape& a = inputs[0];
    const Shape& b = inputs[1];
    if (a.rank() < 1 || b.rank() < 1) {
      refuse(node, "an input is a scalar", to_string(a) + " and " + to_string(b), "one axis or more");
    }
    const Index rows_b = b.rank() == 1 ? b[0] : b[b.rank() - 2];
    if (a.back() != rows_b) {
      refuse(node, "the inner axes differ", to_string(a) + " and " + to_string(b),
             "equal lengths to sum over");
    }
    const std::vector<Shape> batches{batch_of(a), batch_of(b)};
    Shape result = broadcast_inputs(node, batches);
    if (a.rank() > 1) result.append(a[a.rank() - 2]);
    if (b.rank() > 1) result.append(b.back());
    return {result};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    const Extent x(call.input_shapes);
    if (x.products == 1 && call.inputs[0].stride == x.M * x.K && call.inputs[1].stride == 0) {
      return gemm<T>(call.context, call.engine, matrix(call.inputs[0].data, call.samples * x.M, x.K),
                     matrix(call.inputs[1].data, x.K, x.N), false,
                     matrix(results[0], call.samples * x.M, x.N));
    }
    for_samples(call, x.work(), [&](Index i) {
      multiply(call, x, call.inputs[0].at(i), call.inputs[1].at(i), false, results[0] + i * x.size_y());
    });
  }

  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    const Extent x(call.input_shapes);
    if (results[0] != nullptr) pull_to_a(call, directions, x, cotangents[0], results[0]);
    if (results[1] == nullptr) return;
    const Index size = call.input_shapes[1].elements();
    for_samples(call, directions * x.work(), [&](Index i) {
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        for (Index p = 0; p < x.products; ++p) {
          gemm<T>(call.context, call.engine, matrix(call.inputs[0].at(i) + x.at_a(p), x.M, x.K).transposed(),
                  matrix(cotangents[0] + row * x.size_y() + p * x.M * x.N, x.M, x.N), true,
                  matrix(results[1] + row * size + x.at_b(p), x.K, x.N));
        }
      }
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    const Extent x(call.input_shapes);
    const Index size_a = call.input_shapes[0].elements();
    const Index size_b = call.input_shapes[1].elements();
    for_samples(call, 2 * directions * x.work(), [&](Index i) {
      for (Index r = 0; r < directions; ++r) {
        T* to = results[0] + (i * directions + r) * x.size_y();
        fill_zero(to, x.size_y());
        if (tangents[0]) multiply(call, x, tangents[0].at(i) + r * size_a, call.inputs[1].at(i), true, to);
        if (tangents[1]) multiply(call, x, call.inputs[0].at(i), tangents[1].at(i) + r * size_b, true, to);
      }
    });
  }

  double multiply_adds(const Node&, std::span<const Shape> inputs, const Shape& output) const override {
    return static_cast<double>(output.elements() * inputs[0].back());
  }
  bool has_outer_form(const Node&, std::span<const Shape> inputs, int input) const override {
    return inputs[static_cast<std::size_t>(input)].rank() == 2;
  }
  OuterUse<float> outer_use(const Call<float>& call, Index directions, const float* cotangent,
                            int input) const override {
    return input == 1 ? use_right(call) : use_left(call, directions, cotangent);
  }
  OuterUse<double> outer_use(const Call<double>& call, Index directions, const double* cotangent,
                             int input) const override {
    return input == 1 ? use_right(call) : use_left(call, directions, cotangent);
  }
  Index outer_entries(const Node&, std::span<const Shape> inputs, int input,
                      Index directions) const override {
    if (input == 1) return 0;
    const Extent x(inputs);
    return x.products * x.N * (directions * x.M + x.K);
  }

 private:
  template <class T>
  static void multiply(const Call<T>& call, const Extent& x, const T* a, const T* b, bool accumulate, T* y) {
    for (Index p = 0; p < x.products; ++p) {
      gemm<T>(call.context, call.engine, matrix(a + x.at_a(p), x.M, x.K), matrix(b + x.at_b(p), x.K, x.N),
              accumulate, matrix(y + p * x.M * x.N, x.M, x.N));
    }
  }

  template <class T>
  static void pull_to_a(const Call<T>& call, Index directions, const Extent& x, const T* g, T* result) {
    const Index size = call.input_shapes[0].elements();
    const auto pull = [&](Index sample, Index product, Index rows, const T* from, T* to) {
      gemm<T>(call.context, call.engine, matrix(from, rows, x.N),
              matrix(call.inputs[1].at(sample) + x.at_b(product), x.K, x.N).transposed(), true,
              matrix(to, rows, x.K));
    };
    if (x.products == 1 && call.inputs[1].stride == 0) {
      return pull(0, 0, call.samples * directions * x.M, g, result);
    }
    for_samples(call, directions * x.work(), [&](Index i) {
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        for (Index p = 0; p < x.products; ++p) {
          pull(i, p, x.M, g + row * x.size_y() + p * x.M * x.N, result + row * size + x.at_a(p));
        }
      }
    });
  }

  /// A batch-free matrix on the right, (k, c) with c = n: the cotangent's rows and those of a, as they lie.
  template <class T>
  static OuterUse<T> use_right(const Call<T>& call) {
    const Extent x(call.input_shapes);
    const Index size = x.M * x.K;
    OuterUse<T> use{.positions = x.M,
                    .channels = x.N,
                    .fan_in = x.K,
                    .transposed = true,
                    .left_is_cotangent = true,
                    .right_is_input = call.inputs[0].stride == size,
                    .left = {},
                    .right = {}};
    if (!use.right_is_input) {
      use.right = Tensor<T>::uninitialized({call.samples, x.M, x.K});
      for (Index i = 0; i < call.samples; ++i)
        std::copy_n(call.inputs[0].at(i), size, use.right.data() + i * size);
    }
    return use;
  }

  /// A batch-free matrix on the left, (c, k) with c = m: the columns of the cotangent and of b are the
  /// positions.
  template <class T>
  static OuterUse<T> use_left(const Call<T>& call, Index directions, const T* cotangent) {
    const Extent x(call.input_shapes);
    const Index positions = x.products * x.N;
    OuterUse<T> use{.positions = positions,
                    .channels = x.M,
                    .fan_in = x.K,
                    .transposed = false,
                    .left_is_cotangent = positions == 1,
                    .right_is_input = false,
                    .left = {},
                    .right = {}};
    const auto turn = [&](const T* from, Index rows, T* to) {  // [products, rows, N] to [products, N, rows]
      for (Index p = 0; p < x.products; ++p) {
        for (Index n = 0; n < x.N; ++n) {
          for (Index row = 0; row < rows; ++row) *to++ = from[(p * rows + row) * x.N + n];
        }
      }
    };
    use.right = Tensor<T>::uninitialized({call.samples, positions, x.K});
    for_samples(call, positions * x.K,
                [&](Index i) { turn(call.inputs[1].at(i), x.K, use.right.data() + i * positions * x.K); });
    if (use.left_is_cotangent) return use;
    use.left = Tensor<T>::uninitialized({call.samples, directions, positions, x.M});
    for_samples(call, directions * positions * x.M, [&](Index i) {
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        turn(cotangent + row * x.size_y(), x.M, use.left.data() + row * positions * x.M);
      }
    });
    return use;
  }
};

}  // namespace

void add_matmul_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<MatMul>());
}

}  // namespace tangra::ops
