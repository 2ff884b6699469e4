#include "tangra/differentiate/basis.h"

#include <algorithm>
#include <memory>

#include "tangra/base/error.h"

namespace tangra::differentiate {

Basis Basis::identity(Index outputs) {
  return {outputs, outputs, true, [outputs](Index, std::span<const double>, std::span<double> rows) {
            for (Index a = 0; a < outputs; ++a) rows[static_cast<std::size_t>(a * outputs + a)] = 1;
          }};
}

Basis Basis::sums(Index outputs, std::vector<std::vector<Index>> members) {
  const auto count = static_cast<Index>(members.size());
  return {outputs, count, true, [outputs, members = std::move(members)](Index, std::span<const double>, std::span<double> rows) {
            for (std::size_t r = 0; r < members.size(); ++r) {
              for (const Index a : members[r]) rows[r * static_cast<std::size_t>(outputs) + static_cast<std::size_t>(a)] += 1;
            }
          }};
}

Basis Basis::matrix(Tensor<double> matrix, Index outputs) {
  const Shape shape = matrix.shape();
  if ((shape.rank() != 2 && shape.rank() != 3) || shape.back() != outputs || shape[shape.rank() - 2] == 0) {
    throw Error(ErrorKind::input, {.what = "the basis does not fit the network's outputs", .where = "--basis",
                                   .got = to_string(shape),
                                   .expected = "(R, " + std::to_string(outputs) + ") or (N, R, " + std::to_string(outputs) + ")",
                                   .cure = {}});
  }
  const Index rows = shape[shape.rank() - 2];
  const Index samples = shape.rank() == 3 ? shape[0] : -1;
  auto shared = std::make_shared<const Tensor<double>>(std::move(matrix));
  return {outputs, rows, samples < 0, [=](Index sample, std::span<const double>, std::span<double> target) {
            if (samples >= 0 && sample >= samples) {
              throw Error(ErrorKind::input, {.what = "the basis has too few samples", .where = "--basis",
                                             .got = std::to_string(samples), .expected = "one matrix for each sample",
                                             .cure = {}});
            }
            const double* from = shared->data() + (samples >= 0 ? sample * rows * outputs : 0);
            std::copy_n(from, rows * outputs, target.begin());
          }};
}

Basis Basis::computed(Index outputs, Index rows, Fill fill) { return {outputs, rows, false, std::move(fill)}; }

Basis Basis::combined(std::vector<std::vector<Index>> members) const {
  const auto count = static_cast<Index>(members.size());
  return {outputs_, count, constant_, [inner = *this, members = std::move(members)](Index sample, std::span<const double> outputs,
                                                                         std::span<double> rows) {
            const auto width = static_cast<std::size_t>(inner.outputs_);
            std::vector<double> own(static_cast<std::size_t>(inner.rows_) * width, 0.0);
            inner.fill_(sample, outputs, own);
            for (std::size_t r = 0; r < members.size(); ++r) {
              for (const Index member : members[r]) {
                for (std::size_t a = 0; a < width; ++a) {
                  rows[r * width + a] += own[static_cast<std::size_t>(member) * width + a];
                }
              }
            }
          }};
}

template <class T>
Tensor<T> Basis::seeds(Index first, const Tensor<T>& outputs) const {
  const Index samples = outputs.shape()[0];
  auto result = Tensor<T>::uninitialized({samples, rows_, outputs_});
  std::vector<double> values(static_cast<std::size_t>(outputs_));
  std::vector<double> rows(static_cast<std::size_t>(rows_ * outputs_));
  for (Index i = 0; i < samples; ++i) {
    std::copy_n(outputs.data() + i * outputs_, outputs_, values.begin());
    std::ranges::fill(rows, 0.0);
    fill_(first + i, values, rows);
    std::ranges::transform(rows, result.data() + i * rows_ * outputs_, [](double entry) { return static_cast<T>(entry); });
  }
  return result;
}

template Tensor<float> Basis::seeds<float>(Index, const Tensor<float>&) const;
template Tensor<double> Basis::seeds<double>(Index, const Tensor<double>&) const;

}  // namespace tangra::differentiate
