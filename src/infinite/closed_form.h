#pragma once
#include <vector>

#include "tangra/base/context.h"
#include "tangra/base/tensor.h"
#include "tangra/infinite/dual_activation.h"

namespace tangra::infinite {

/// A Dense layer z_c = sum_k A_ck h_k + a_c as random variables see it. With m the mean over k of h_k h'_k:
///     E z z' = weight_variance m + bias_variance,
///     sum of dz/dp dz'/dp over the layer's own parameters p = weight_gain m + bias_gain.
/// ntk(sigma_w, sigma_b): sigma_w^2, sigma_b^2, sigma_w^2, sigma_b^2. Standard with W ~ N(0, v) and b ~ N(0,
/// v_b): v in, v_b, in, 1. Gains of what is not trained, and all numbers of a bias that is not there, are 0.
struct Layer {
  double weight_variance = 1;
  double bias_variance = 0;
  double weight_gain = 1;
  double bias_gain = 0;
  Activation activation =
      Activation::identity;  ///< behind the layer; of the last one it must be the identity
};

enum class Kind {
  ntk,   ///< the neural tangent kernel
  nngp,  ///< the covariance of the outputs of random networks
};

/// The kernel of one output of a chain of Dense layers whose hidden widths go to infinity:
///     S_1 = w_1 x.x' / d + b_1,    S_l+1 = w_l+1 E f f' + b_l+1,    f = f_l(u), f' = f_l(v), (u, v) ~ N(0,
///     S_l) T_1 = g_1 x.x' / d + c_1,    T_l+1 = g_l+1 E f f' + c_l+1 + w_l+1 T_l E f_l'(u) f_l'(v)
/// with w, b, g, c the four numbers of a layer; nngp is the last S, ntk the last T (Jacot, Gabriel, Hongler
/// 2018; Lee et al. 2019). The kernel of O outputs is this one for equal outputs and 0 for different ones.
/// Under the standard parameterisation g is the layer's own width, so T grows with the widths and is their
/// leading order (Sohl-Dickstein, Novak, Schoenholz, Lee, "On the infinite width limit of neural networks
/// with a standard parameterization", 2020).
///
/// x1: [n1, d], x2: [n2, d]; null: x1 itself, and the kernel is exactly symmetric. Returns [n1, n2]. The bits
/// do not depend on the number of threads, nor those of an entry on the other samples.
Tensor<double> closed_form(const std::vector<Layer>& layers, Kind kind, MatrixView<const double> x1,
                           const MatrixView<const double>* x2, const Context& context);

}  // namespace tangra::infinite
