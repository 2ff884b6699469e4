#pragma once
#include <memory>
#include <vector>

#include "tangra/ops/op.h"

namespace tangra::ops {

/// Each family puts its operators into the table.
void add_elementwise_ops(std::vector<std::unique_ptr<Op>>& table);
void add_binary_ops(std::vector<std::unique_ptr<Op>>& table);
void add_linear_ops(std::vector<std::unique_ptr<Op>>& table);
void add_index_map_ops(std::vector<std::unique_ptr<Op>>& table);
void add_reduction_ops(std::vector<std::unique_ptr<Op>>& table);
void add_softmax_ops(std::vector<std::unique_ptr<Op>>& table);
void add_conv_ops(std::vector<std::unique_ptr<Op>>& table);
void add_pool_ops(std::vector<std::unique_ptr<Op>>& table);

}  // namespace tangra::ops
