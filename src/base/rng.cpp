#include "tangra/base/rng.h"

#include <bit>
#include <cmath>

namespace tangra {
namespace {

std::uint32_t low(std::uint64_t word) {
  return static_cast<std::uint32_t>(word);
}
std::uint32_t high(std::uint64_t word) {
  return static_cast<std::uint32_t>(word >> 32);
}

/// c[0] + c[1] x + ... + c[count - 1] x^(count - 1), by Horner's rule.
template <std::size_t count>
double polynomial(const double (&c)[count], double x) {
  double sum = c[count - 1];
  for (std::size_t k = count - 1; k-- > 0;) sum = sum * x + c[k];
  return sum;
}

/// The natural logarithm of a positive normal number: x = m 2^e with m in [sqrt(1/2), sqrt(2)), and
/// log m = 2 atanh s with s = (m - 1) / (m + 1), |s| < 0.172, by its Taylor series.
double natural_log(double x) {
  constexpr double series[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                               2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
  // log 2 in two parts; the first has 21 zero bits at its end, so that its products with e are exact.
  constexpr double log2_high = 0x1.62e42feep-1;
  constexpr double log2_low = 0x1.a39ef35793c76p-33;
  constexpr std::uint64_t mantissa = (std::uint64_t{1} << 52) - 1;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & mantissa) | (std::uint64_t{1023} << 52));
  if (m >= 0x1.6a09e667f3bcdp+0) {
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  const double log_m = 2 * s + s * square * polynomial(series, square);
  return exponent * log2_high + (exponent * log2_low + log_m);
}

// The three rational approximations of AS 241; the denominators start with 1.
constexpr double centre_above[] = {
    3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
    4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3};
constexpr double centre_below[] = {1.0,
                                   4.2313330701600911252e+1,
                                   6.8718700749205790830e+2,
                                   5.3941960214247511077e+3,
                                   2.1213794301586595867e+4,
                                   3.9307895800092710610e+4,
                                   2.8729085735721942674e+4,
                                   5.2264952788528545610e+3};
constexpr double middle_above[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                   5.76949722146069140550e0,  3.64784832476320460504e0,
                                   1.27045825245236838258e0,  2.41780725177450611770e-1,
                                   2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr double middle_below[] = {1.0,
                                   2.05319162663775882187e0,
                                   1.67638483018380384940e0,
                                   6.89767334985100004550e-1,
                                   1.48103976427480074590e-1,
                                   1.51986665636164571966e-2,
                                   5.47593808499534494600e-4,
                                   1.05075007164441684324e-9};
constexpr double tail_above[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                 1.78482653991729133580e0,  2.96560571828504891230e-1,
                                 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                 2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr double tail_below[] = {1.0,
                                 5.99832206555887937690e-1,
                                 1.36929880922735805310e-1,
                                 1.48753612908506148525e-2,
                                 7.86869131145613259100e-4,
                                 1.84631831751005468180e-5,
                                 1.42151175831644588870e-7,
                                 2.04426310338993978564e-15};

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t multipliers[] = {0xD2511F53U, 0xCD9E8D57U};
  constexpr std::uint32_t weyl[] = {0x9E3779B9U, 0xBB67AE85U};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = multipliers[0] * counter[0];
    const std::uint64_t second = multipliers[1] * counter[2];
    counter = {high(second) ^ counter[1] ^ key[0], low(second), high(first) ^ counter[3] ^ key[1],
               low(first)};
    key[0] += weyl[0];
    key[1] += weyl[1];
  }
  return counter;
}

double normal_quantile(double p) {
  const double q = p - 0.5;
  if (q >= -0.425 && q <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(centre_above, r) / polynomial(centre_below, r);
  }
  const double r = std::sqrt(-natural_log(q < 0 ? p : 1 - p));
  const double size = r <= 5 ? polynomial(middle_above, r - 1.6) / polynomial(middle_below, r - 1.6)
                             : polynomial(tail_above, r - 5) / polynomial(tail_below, r - 5);
  return q < 0 ? -size : size;
}

std::uint64_t RandomStream::bits(std::uint64_t index) const {
  const auto words =
      philox4x32({low(index), high(index), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
  return words[0] | std::uint64_t{words[1]} << 32;
}

double RandomStream::uniform(std::uint64_t index) const {
  const auto odd = static_cast<std::int64_t>(bits(index) >> 12) * 2 + 1;
  return static_cast<double>(odd) * 0x1p-53;
}

double RandomStream::normal(std::uint64_t index) const {
  return normal_quantile(uniform(index));
}

}  // namespace tangra
