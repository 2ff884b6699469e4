#pragma once

namespace tangra::infinite {

enum class Activation { identity, relu, erf };

/// The covariance of two centred Gaussian numbers u and v.
struct Covariance {
  double uu = 0;
  double uv = 0;
  double vv = 0;
};

/// What an activation f makes of them: expectations over u and v.
struct Dual {
  double values = 0;       ///< E f(u) f(v)
  double derivatives = 0;  ///< E f'(u) f'(v)
};

/// Closed forms. relu: the arc-cosine kernels of order 1 and 0 (Cho and Saul, "Kernel methods for deep
/// learning", NIPS 2009), with relu'(0) = 0. erf: Williams, "Computing with infinite networks", NIPS 1996,
/// equation 11, and its derivative. The derivatives of relu have an infinite slope at u = v: samples that
/// differ by d have derivatives that differ by some sqrt(d).
Dual dual(Activation activation, const Covariance& covariance);

}  // namespace tangra::infinite
