#pragma once
#include <string>
#include <string_view>

namespace tangra::load {

/// How layers use their weights and biases; part of the network's forward pass. W x stands for every sum of
/// products, a convolution's too, and fan_in for the number of products in it.
///   standard: W x + b
///   ntk:      sigma_w W x / sqrt(fan_in) + sigma_b b, with W and b drawn from N(0, 1)
/// (Jacot, Gabriel, Hongler, "Neural tangent kernel", NeurIPS 2018; Lee et al., "Wide neural networks of any
/// depth evolve as linear models under gradient descent", NeurIPS 2019.)
struct Parameterization {
  enum class Kind { standard, ntk };
  Kind kind = Kind::standard;
  double sigma_w = 1;  ///< above 0
  double sigma_b = 1;  ///< 0 or above

  bool operator==(const Parameterization&) const = default;
};

/// Reads `standard`, `ntk`, `ntk(1.5, 0.1)`, `ntk(sigma_w = 1.5, sigma_b = 0.1)`. Throws Error(usage), naming
/// `where`, for anything else.
Parameterization parse_parameterization(std::string_view text,
                                        const std::string& where = "--parameterization");

}  // namespace tangra::load
