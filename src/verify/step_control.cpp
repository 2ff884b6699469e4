#include "tangra/verify/step_control.h"

#include <algorithm>
#include <cmath>

namespace tangra::verify {

void Extrapolation::add(const std::vector<double>& differences, double noise) {
  std::vector<std::vector<double>> row{differences};
  bool gained = false;
  double power = 1;
  for (std::size_t m = 1; m <= table_.size(); ++m) {
    power *= 4;  // the error of a central difference has even powers of h only
    auto& next = row.emplace_back(differences.size());
    for (std::size_t a = 0; a < differences.size(); ++a) {
      const double coarse = table_[m - 1][a];
      const double fine = row[m - 1][a];
      next[a] = fine + (fine - coarse) / (power - 1);
      const double error = std::max(std::abs(next[a] - fine), std::abs(next[a] - coarse)) + noise;
      if (!(error < error_[a])) continue;
      gained = gained || error < error_[a] / 2;
      best_[a] = next[a];
      error_[a] = error;
      noise_[a] = noise;
    }
  }
  without_gain_ = gained || table_.empty() ? 0 : without_gain_ + 1;
  table_ = std::move(row);
}

double Extrapolation::largest() const {
  double most = 0;
  for (const double entry : best_) most = std::max(most, std::abs(entry));
  return most;
}

bool Extrapolation::converged(double tolerance) const {
  const double most = largest();
  for (std::size_t a = 0; a < best_.size(); ++a) {
    if (!(error_[a] <= std::max(tolerance * most, 8 * noise_[a]))) return false;
  }
  return true;
}

bool Extrapolation::settled() const {
  return converged(1e-10) || (any() && without_gain_ >= 3);
}

}  // namespace tangra::verify
