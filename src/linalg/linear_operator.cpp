#include "tangra/linalg/linear_operator.h"

#include "tangra/base/error.h"
#include "tangra/linalg/gemm.h"

namespace tangra::linalg {

MatrixOperator::MatrixOperator(MatrixView<const double> matrix, bool symmetric)
    : matrix_(matrix), symmetric_(symmetric) {
  TANGRA_ENSURE(!symmetric || matrix.rows == matrix.columns);
}

void MatrixOperator::apply(MatrixView<const double> x, MatrixView<double> y, const Context& context) const {
  TANGRA_ENSURE(x.rows == columns() && y.rows == rows() && x.columns == y.columns);
  context.check_cancelled();
  gemm(context, Engine::fast, matrix_, x, false, y);
}

}  // namespace tangra::linalg
