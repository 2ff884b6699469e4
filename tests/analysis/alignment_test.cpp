#include "tangra/analysis/alignment.h"

#include "operators.h"

namespace tangra::analysis {
namespace {

using tangra::test::error_of;
using tangra::test::TestContext;
using test::view;

double frobenius(const Tensor<double>& a) {
  double sum = 0;
  for (const double entry : a) sum += entry * entry;
  return std::sqrt(sum);
}

/// H a H with H = 1 - ones/N for each of `outputs` outputs, by definition.
Tensor<double> centred(const Tensor<double>& a, Index outputs) {
  const Index n = a.shape()[0], samples = n / outputs;
  Tensor<double> h(Shape{n, n}), result(Shape{n, n});
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j)
      h[i * n + j] =
          (i == j ? 1.0 : 0.0) - (i % outputs == j % outputs ? 1.0 / static_cast<double>(samples) : 0.0);
  }
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      for (Index k = 0; k < n; ++k) {
        for (Index l = 0; l < n; ++l) result[i * n + j] += h[i * n + k] * a[k * n + l] * h[l * n + j];
      }
    }
  }
  return result;
}

double aligned(const Tensor<double>& a, const Tensor<double>& b) {
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum / (frobenius(a) * frobenius(b));
}

Tensor<double> outer(const Tensor<double>& y, Index rows) {
  const Index columns = y.size() / rows;
  Tensor<double> result(Shape{rows, rows});
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < rows; ++j) {
      for (Index c = 0; c < columns; ++c) result[i * rows + j] += y[i * columns + c] * y[j * columns + c];
    }
  }
  return result;
}

const std::vector<Index> labels = {0, 2, 1, 1, 2, 0, 2, 2};

TEST(Alignment, IsThatOfTheDefinition) {
  const TestContext test;
  const Tensor<double> y = one_hot(labels, 8, 3);
  for (const Index outputs : {1, 3}) {
    const Index n = 8 * outputs;
    const Tensor<double> k = test::gram(n, 5, 3);
    const auto targets =
        outputs == 1 ? matrix<const double>(y.data(), 8, 3) : matrix<const double>(y.data(), 24, 1);
    const Alignment found = kernel_target_alignment(linalg::MatrixOperator(view(k), true), frobenius(k),
                                                    targets, outputs, test.context);
    const Tensor<double> yy = outer(y, n);
    EXPECT_NEAR(found.plain, aligned(k, yy), 1e-14);
    EXPECT_NEAR(found.centred, aligned(centred(k, outputs), centred(yy, outputs)), 1e-13);
  }
}

TEST(Alignment, IsOneForTheLabelsOwnKernelAndZeroForNone) {
  const TestContext test;
  const Tensor<double> y = one_hot(labels, 8, 3), yy = outer(y, 8);
  const auto targets = matrix<const double>(y.data(), 8, 3);
  const Alignment own = kernel_target_alignment(linalg::MatrixOperator(view(yy), true), frobenius(yy),
                                                targets, 1, test.context);
  EXPECT_NEAR(own.plain, 1, 1e-15);
  EXPECT_NEAR(own.centred, 1, 1e-14);
  Tensor<double> constant(Shape{8, 8});
  for (double& entry : constant) entry = 2;
  const Alignment none =
      kernel_target_alignment(linalg::MatrixOperator(view(constant), true), 16, targets, 1, test.context);
  EXPECT_GT(none.plain, 0);
  EXPECT_EQ(none.centred, 0);  // nothing is left of it
}

TEST(LabelShares, AddUpToOneOverAWholeBasis) {
  const TestContext test;
  const Tensor<double> q =
      test::with_eigenvalues(std::vector<double>{1, -1, 1, 1, -1, 1, -1, 1}, 2);  // orthogonal
  const Tensor<double> y = one_hot(labels, 8, 3);
  const LabelShares shares = label_shares(view(q), matrix<const double>(y.data(), 8, 3), test.context);
  EXPECT_NEAR(shares.cumulated.back(), 1, 1e-14);
  for (const auto& column : shares.cumulated_by_column) EXPECT_NEAR(column.back(), 1, 1e-14);
  // Class 0 has samples 0 and 5.
  const double product = q[2 * 8 + 0] + q[2 * 8 + 5];
  EXPECT_NEAR(shares.by_column[0][2], product * product / 2, 1e-15);
  double pooled = 0;
  for (const Index label : {0, 1, 2}) {
    double sum = 0;
    for (std::size_t i = 0; i < labels.size(); ++i)
      sum += labels[i] == label ? q[2 * 8 + static_cast<Index>(i)] : 0;
    pooled += sum * sum;
  }
  EXPECT_NEAR(shares.share[2], pooled / 8, 1e-15);
}

TEST(OneHot, RefusesLabelsThatDoNotFit) {
  for (const std::vector<Index>& bad : {std::vector<Index>{0, 1}, {0, 1, 3}, {0, -1, 1}, {0, 2, 2}}) {
    EXPECT_EQ(error_of([&] { one_hot(bad, 3, 3); }).kind(), ErrorKind::input);
  }
  EXPECT_NE(std::string(error_of([] {
                          one_hot(std::vector<Index>{0, 2, 2}, 3, 3);
                        }).what())
                .find("class 1"),
            std::string::npos);
}

}  // namespace
}  // namespace tangra::analysis
