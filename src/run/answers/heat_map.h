#pragma once
// Not for other rooms: kernels as pictures.
#include "tangra/base/array.h"
#include "tangra/base/context.h"
#include "tangra/kernel/kernel_file.h"
#include "tangra/run/report_data.h"

namespace tangra::run {

/// The labels of the samples of rows and columns; empty where they are not known.
struct PictureLabels {
  std::vector<Index> rows;
  std::vector<Index> columns;
};

/// The picture of a stored matrix, read once in pieces. Samples are sorted by label where labels are known
/// for all of them. Throws Error(input) where the file is damaged or no matrix.
HeatMap heat_map(const kernel::KernelFile& file, const PictureLabels& labels, const Context& context);
/// Of a matrix in memory, one row for each sample.
HeatMap heat_map(MatrixView<const double> matrix, const PictureLabels& labels);

}  // namespace tangra::run
