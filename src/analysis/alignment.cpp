#include "tangra/analysis/alignment.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"

namespace tangra::analysis {
namespace {

double squares(const Tensor<double>& entries) {
  double sum = 0;
  for (const double entry : entries) sum += entry * entry;
  return sum;
}

Tensor<double> applied(const linalg::LinearOperator& k, const Tensor<double>& x, const Context& context) {
  const Index columns = x.shape()[1];
  Tensor<double> y = Tensor<double>::uninitialized(Shape{k.rows(), columns});
  k.apply(matrix<const double>(x.data(), k.columns(), columns), matrix(y.data(), k.rows(), columns), context);
  return y;
}

/// a^T b.
Tensor<double> inner(const Tensor<double>& a, const Tensor<double>& b, const Context& context) {
  Tensor<double> result(Shape{a.shape()[1], b.shape()[1]});
  linalg::gemm<double>(context, linalg::Engine::fast,
                       matrix<const double>(a.data(), a.shape()[0], a.shape()[1]).transposed(),
                       matrix<const double>(b.data(), b.shape()[0], b.shape()[1]), false,
                       matrix(result.data(), a.shape()[1], b.shape()[1]));
  return result;
}

double energy(const Tensor<double>& y, const Tensor<double>& ky) {
  return std::inner_product(y.begin(), y.end(), ky.begin(), 0.0);
}

/// <K, Y Y^T> / (|K| |Y Y^T|), 0 where that is 0 / 0.
double aligned(const Tensor<double>& y, const Tensor<double>& ky, double frobenius, const Context& context) {
  const double scale = frobenius * std::sqrt(squares(inner(y, y, context)));
  return scale > 0 ? energy(y, ky) / scale : 0;
}

}  // namespace

Tensor<double> one_hot(std::span<const Index> labels, Index samples, Index classes) {
  if (static_cast<Index>(labels.size()) != samples) {
    throw Error(ErrorKind::input, {.what = "there must be one label for each sample",
                                   .where = "labels",
                                   .got = std::to_string(labels.size()),
                                   .expected = std::to_string(samples),
                                   .cure = {}});
  }
  Tensor<double> y(Shape{samples, classes});
  std::vector<Index> counts(static_cast<std::size_t>(classes), 0);
  for (Index i = 0; i < samples; ++i) {
    const Index label = labels[static_cast<std::size_t>(i)];
    if (label < 0 || label >= classes) {
      throw Error(ErrorKind::input, {.what = "a label is none of the classes",
                                     .where = "sample " + std::to_string(i),
                                     .got = std::to_string(label),
                                     .expected = "0 to " + std::to_string(classes - 1),
                                     .cure = {}});
    }
    y[i * classes + label] = 1;
    ++counts[static_cast<std::size_t>(label)];
  }
  const auto empty = std::ranges::find(counts, 0);
  if (empty != counts.end()) {
    throw Error(ErrorKind::input,
                {.what = "a class has no sample",
                 .where = "labels",
                 .got = "none of class " + std::to_string(empty - counts.begin()) + " among " +
                        std::to_string(samples) + " samples",
                 .expected = "at least one of each of " + std::to_string(classes) + " classes",
                 .cure = "Take more samples, or others"});
  }
  return y;
}

Alignment kernel_target_alignment(const linalg::LinearOperator& k, double frobenius,
                                  MatrixView<const double> y, Index outputs, const Context& context) {
  TANGRA_ENSURE(k.symmetric() && y.rows == k.rows() && outputs > 0 && k.rows() % outputs == 0);
  const Index n = k.rows(), samples = n / outputs;
  Tensor<double> plain = Tensor<double>::uninitialized(Shape{n, y.columns});
  for (Index i = 0; i < n; ++i) {
    for (Index c = 0; c < y.columns; ++c) plain[i * y.columns + c] = y(i, c);
  }
  Alignment result;
  result.plain = aligned(plain, applied(k, plain, context), frobenius, context);

  // H = 1 - U U^T, where the columns of U are ones / sqrt(N) for each output.
  Tensor<double> u(Shape{n, outputs});
  for (Index i = 0; i < n; ++i) u[i * outputs + i % outputs] = 1 / std::sqrt(static_cast<double>(samples));
  Tensor<double> centred = plain.clone();
  for (Index a = 0; a < outputs; ++a) {
    for (Index c = 0; c < y.columns; ++c) {
      double mean = 0;
      for (Index i = a; i < n; i += outputs) mean += plain[i * y.columns + c];
      mean /= static_cast<double>(samples);
      for (Index i = a; i < n; i += outputs) centred[i * y.columns + c] -= mean;
    }
  }
  const Tensor<double> ku = applied(k, u, context);
  // |H K H|^2 = |K|^2 - 2 |K U|^2 + |U^T K U|^2.
  const double rest = frobenius * frobenius - 2 * squares(ku) + squares(inner(u, ku, context));
  const double rounding = static_cast<double>(n) * 0x1p-52 * frobenius * frobenius;
  if (rest > rounding)
    result.centred = aligned(centred, applied(k, centred, context), std::sqrt(rest), context);
  return result;
}

LabelShares label_shares(MatrixView<const double> vectors, MatrixView<const double> y,
                         const Context& context) {
  TANGRA_ENSURE(vectors.columns == y.rows);
  const Index pairs = vectors.rows, columns = y.columns;
  Tensor<double> products = Tensor<double>::uninitialized(Shape{pairs, columns});
  linalg::gemm<double>(context, linalg::Engine::fast, vectors, y, false,
                       matrix(products.data(), pairs, columns));
  std::vector<double> lengths(static_cast<std::size_t>(columns), 0.0);
  for (Index i = 0; i < y.rows; ++i) {
    for (Index c = 0; c < columns; ++c) lengths[static_cast<std::size_t>(c)] += y(i, c) * y(i, c);
  }
  const double all = std::accumulate(lengths.begin(), lengths.end(), 0.0);
  LabelShares result;
  result.by_column.resize(static_cast<std::size_t>(columns));
  for (Index r = 0; r < pairs; ++r) {
    double sum = 0;
    for (Index c = 0; c < columns; ++c) {
      const double square = products[r * columns + c] * products[r * columns + c];
      sum += square;
      result.by_column[static_cast<std::size_t>(c)].push_back(square / lengths[static_cast<std::size_t>(c)]);
    }
    result.share.push_back(sum / all);
  }
  const auto cumulate = [](const std::vector<double>& from) {
    std::vector<double> sums;
    std::partial_sum(from.begin(), from.end(), std::back_inserter(sums));
    return sums;
  };
  result.cumulated = cumulate(result.share);
  for (const auto& column : result.by_column) result.cumulated_by_column.push_back(cumulate(column));
  return result;
}

}  // namespace tangra::analysis
