#pragma once
// Not for other rooms: raw values to what a network is given.
#include <optional>
#include <string>
#include <vector>

#include "tangra/base/array.h"

namespace tangra::data {

/// (x - mean) / deviation; one of each for all, or one for each channel.
struct Normalization {
  std::vector<double> mean;
  std::vector<double> deviation;
};

/// x / divisor * factor, then normalised.
struct Scaling {
  double divisor = 1;
  double factor = 1;
  std::optional<Normalization> normalization;
  bool none() const { return divisor == 1 && factor == 1 && !normalization; }
};

/// "MEAN[,..]:STD[,..]". Throws Error(usage) where it is malformed.
Normalization parse_normalization(const std::string& text);

/// Where values come from, for messages.
struct Origin {
  std::string name;
  Index first_sample = 0;  ///< the number of the first one in the source
};

/// The scaled values: float32 from float16 and float32, else float64. Channels are axis 1. Throws
/// Error(input) where the number of channels is another than the normalisation's, an entry is NaN or infinite
/// or becomes so, or float64 has no such integer.
Array scaled(const Array& raw, const Scaling& scaling, const Origin& origin);

/// (N, H, W, C) to (N, C, H, W).
Array channels_to_front(const Array& pictures);

/// The shortest decimals that give this number.
std::string decimal(double value);

}  // namespace tangra::data
