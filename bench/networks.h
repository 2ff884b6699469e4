#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tangra/base/tensor.h"
#include "tangra/model/graph.h"

namespace tangra::bench {

/// One piece of work that other programs are timed on too; see bench/peers.
struct Case {
  std::string name;
  std::shared_ptr<const Graph> graph;
  std::string reduce;
  Tensor<float> rows;
  Tensor<float> columns;  ///< no rows where the kernel is of one set
};

/// mnist-mlp, mnist-mlp-trace, wide-fcn, cnn, cnn-trace, resnet20-trace.
const std::vector<std::string>& case_names();

/// Random weights and inputs, the same from run to run. `samples` counts where the case leaves it open.
Case make_case(const std::string& name, Index samples);

}  // namespace tangra::bench
