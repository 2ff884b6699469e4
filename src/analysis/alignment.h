#pragma once
#include <span>
#include <vector>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"
#include "tangra/linalg/linear_operator.h"

namespace tangra::analysis {

/// Targets: [samples, classes], 1 where the sample has that label and 0 elsewhere. Throws Error(input) where
/// the number of labels is not `samples`, a label is not below `classes`, or a class has no sample.
Tensor<double> one_hot(std::span<const Index> labels, Index samples, Index classes);

/// How much a kernel looks like the labels' own Gram matrix: <K, Y Y^T>_F / (|K|_F |Y Y^T|_F), between -1
/// and 1.
struct Alignment {
  double plain = 0;    ///< Cristianini et al., "On kernel-target alignment", NIPS 2001
  double centred = 0;  ///< of H K H and H Y, H = 1 - ones/N (Cortes, Mohri, Rostamizadeh, JMLR 13, 2012)
};

/// k: symmetric, of size N `outputs`, with rows ordered sample-major; frobenius: |k|_F. y: [N outputs,
/// columns]. For a kernel between samples outputs = 1 and y = one_hot(); for the full kernel of O outputs y
/// is the same memory as one column, [N O, 1], and each output is centred by itself. Where k or its centred
/// form is 0, or y is the same for all samples, the alignment is 0.
Alignment kernel_target_alignment(const linalg::LinearOperator& k, double frobenius,
                                  MatrixView<const double> y, Index outputs, const Context& context);

/// How much of the targets lies along each eigenvector.
struct LabelShares {
  std::vector<double> share;                   ///< [pairs]: sum_c (v_r . y_c)^2 / sum_c |y_c|^2
  std::vector<double> cumulated;               ///< [pairs]: of share
  std::vector<std::vector<double>> by_column;  ///< [columns][pairs]: (v_r . y_c)^2 / |y_c|^2
  std::vector<std::vector<double>> cumulated_by_column;
};

/// vectors: [pairs, n], orthonormal rows. y: [n, columns], no column 0.
LabelShares label_shares(MatrixView<const double> vectors, MatrixView<const double> y,
                         const Context& context);

}  // namespace tangra::analysis
