#pragma once
#include <span>
#include <string>
#include <vector>

#include "tangra/model/graph.h"

namespace tangra::train {

enum class LossKind { mse, cross_entropy };

/// The loss of one sample with one label, as a function of the network's outputs.
///
/// mse is half the squared distance of the outputs f to the label's unit vector, 1/2 |f - e_y|^2. Cross-entropy is
/// -log p_y: p is the softmax of the logits, which are what goes into the softmax of a network that ends in one, and
/// otherwise the outputs; the outputs of a network that ends in log-softmax are log p as they are. Nodes that only
/// change the shape may follow the softmax.
///
/// Cross-entropy of logits z with the largest at m: log(1 + sum_(k != m) exp(z_k - z_m)) + (z_m - z_y); its gradient is
/// p - e_y, with p_y - 1 as minus the sum of the others, so that neither cancels for a sample that is learned well.
class Loss {
 public:
  /// Throws Error(unsupported) where cross-entropy meets a softmax over only a part of the outputs.
  Loss(LossKind kind, const Graph& graph);

  LossKind kind() const { return kind_; }
  /// The value that the loss is a function of.
  ValueId of() const { return of_; }
  /// Entries of that value: labels are below it.
  Index classes() const { return classes_; }
  /// Whether `of` is taken as logits; else, for cross-entropy, as log-probabilities.
  bool takes_logits() const { return form_ == Form::logits; }
  /// The loss in words, with the name of the value.
  const std::string& description() const { return description_; }

  struct Outcome {
    double loss = 0;
    bool correct = false;  ///< the largest output, the first among equals, is that of the label
  };
  /// outputs: [classes]; gradient: [classes], becomes d loss / d outputs, or empty. Not finite where outputs are not.
  Outcome operator()(std::span<const double> outputs, Index label, std::span<double> gradient) const;

 private:
  enum class Form { distance, logits, log_probabilities };

  LossKind kind_;
  Form form_ = Form::distance;
  ValueId of_ = no_id;
  Index classes_ = 0;
  std::string description_;
};

std::string name_of(LossKind kind);

/// Throws Error(input) that names `where` (the data set) unless there is one label below `classes` for each of the
/// samples.
void check_labels(const std::vector<Index>& labels, Index samples, Index classes, const std::string& where);

}  // namespace tangra::train
