#pragma once
#include <vector>

#include "tangra/differentiate/sweeps.h"

namespace tangra::differentiate {

/// The operands of one node on a block of samples, gathered for its operator. A node whose values depend on no sample
/// runs as one sample.
template <class T>
class NodeCall {
 public:
  NodeCall(const Program<T>& program, const Activations<T>& activations, NodeId node, const Context& context,
           const Activations<T>* sides, bool with_outputs)
      : call_{.context = context,
              .engine = program.engine(),
              .node = program.graph().node(node),
              .input_shapes = program.input_shapes(node),
              .output_shapes = program.output_shapes(node),
              .samples = 1,
              .inputs = {},
              .outputs = {},
              .sides = {}} {
    if (!program.is_batch_free(call_.node.outputs.front())) call_.samples = activations.samples();
    for (const ValueId id : call_.node.inputs) {
      inputs_.push_back(operand(program, activations, id));
      sides_.push_back(sides == nullptr ? inputs_.back() : operand(program, *sides, id));
    }
    if (with_outputs) {
      for (const ValueId id : call_.node.outputs) outputs_.push_back(operand(program, activations, id));
    }
    call_.inputs = inputs_;
    call_.outputs = outputs_;
    call_.sides = sides_;
  }
  NodeCall(const NodeCall&) = delete;
  NodeCall& operator=(const NodeCall&) = delete;

  const ops::Call<T>& operator*() const { return call_; }
  const ops::Call<T>* operator->() const { return &call_; }

 private:
  static ops::Operand<T> operand(const Program<T>& program, const Activations<T>& activations, ValueId id) {
    if (id == no_id) return {};
    if (program.is_batch_free(id)) return {program.batch_free(id).data(), 0};
    return {activations[id].data(), program.graph().shape(id).elements()};
  }

  ops::Call<T> call_;
  std::vector<ops::Operand<T>> inputs_;
  std::vector<ops::Operand<T>> outputs_;
  std::vector<ops::Operand<T>> sides_;
};

}  // namespace tangra::differentiate
