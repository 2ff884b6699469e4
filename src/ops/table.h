#pragma once
#include <memory>
#include <vector>

#include "tangra/ops/op.h"

namespace tangra::ops {

/// Each family puts its operators into the table.
void add_function_ops(std::vector<std::unique_ptr<Op>>& table);
void add_hyperbolic_ops(std::vector<std::unique_ptr<Op>>& table);
void add_activation_ops(std::vector<std::unique_ptr<Op>>& table);
void add_arithmetic_ops(std::vector<std::unique_ptr<Op>>& table);
void add_comparison_ops(std::vector<std::unique_ptr<Op>>& table);
void add_linear_ops(std::vector<std::unique_ptr<Op>>& table);
void add_matmul_ops(std::vector<std::unique_ptr<Op>>& table);
void add_einsum_ops(std::vector<std::unique_ptr<Op>>& table);
void add_strided_ops(std::vector<std::unique_ptr<Op>>& table);
void add_piece_ops(std::vector<std::unique_ptr<Op>>& table);
void add_entry_map_ops(std::vector<std::unique_ptr<Op>>& table);
void add_gather_data_ops(std::vector<std::unique_ptr<Op>>& table);
void add_resize_ops(std::vector<std::unique_ptr<Op>>& table);
void add_reduction_ops(std::vector<std::unique_ptr<Op>>& table);
void add_softmax_ops(std::vector<std::unique_ptr<Op>>& table);
void add_layer_normalisation_ops(std::vector<std::unique_ptr<Op>>& table);
void add_batch_normalisation_ops(std::vector<std::unique_ptr<Op>>& table);
void add_response_normalisation_ops(std::vector<std::unique_ptr<Op>>& table);
void add_conv_ops(std::vector<std::unique_ptr<Op>>& table);
void add_pool_ops(std::vector<std::unique_ptr<Op>>& table);

}  // namespace tangra::ops
