#include <cmath>

#include "source.h"
#include "tangra/data/data_set.h"
#include "tangra/formats/refuse.h"

namespace tangra::data {

std::vector<Index> labels_of(const Array& array, const std::string& where) {
  const Shape& shape = array.shape();
  if (shape.rank() != 1 && !(shape.rank() == 2 && shape[1] == 1)) {
    formats::refuse(where, "labels have the wrong shape", to_string(shape),
                    "one integer for each sample, (N,)");
  }
  constexpr double first_inexact = 0x1p53;
  const Tensor<double> values = array.converted<double>();
  std::vector<Index> labels;
  labels.reserve(static_cast<std::size_t>(values.size()));
  for (const double value : values) {
    if (!(value >= 0 && value < first_inexact && value == std::floor(value))) {
      formats::refuse(where, "label " + std::to_string(labels.size()) + " is no class", std::to_string(value),
                      "an integer of 0 or more");
    }
    labels.push_back(static_cast<Index>(value));
  }
  return labels;
}

std::vector<Index> selected_labels(const Source& source, Index total, Index begin, Index end) {
  const bool for_all = source.count == total;
  if (!for_all && source.count != end - begin) {
    std::string expected = std::to_string(total);
    if (end - begin != total)
      expected += " for all samples, or " + std::to_string(end - begin) + " for the selected";
    formats::refuse(source.name, "the number of labels does not fit the data", std::to_string(source.count),
                    expected);
  }
  return labels_of(source.read(for_all ? begin : 0, for_all ? end : source.count).inputs, source.name);
}

std::vector<Index> labels_from_file(const std::string& file, Index total, Index begin, Index end) {
  return selected_labels(file_source(file), total, begin, end);
}

std::vector<Index> load_labels(const std::string& file, Index samples) {
  return labels_from_file(file, samples, 0, samples);
}

std::vector<Index> take_labels(const Array& labels, const std::string& name, Index samples) {
  return selected_labels(memory_source(name, labels), samples, 0, samples);
}

}  // namespace tangra::data
