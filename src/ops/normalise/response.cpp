// LRN, local response normalisation (Krizhevsky, Sutskever, Hinton 2012) across the channels, the first axis:
// y_c = x_c s_c^-beta,  s_c = bias + alpha / size * (sum of the squares of the `size` channels around c).
#include <cmath>

#include "tangra/ops/loops.h"
#include "tangra/ops/table.h"

namespace tangra::ops {
namespace {

struct Response {
  Index size;
  double alpha;
  double beta;
  double bias;

  explicit Response(const Node& node)
      : size(node.attributes.integer("size", 0)),
        alpha(node.attributes.real("alpha", 1e-4)),
        beta(node.attributes.real("beta", 0.75)),
        bias(node.attributes.real("bias", 1)) {}
  /// The channels around c: [first(c), last(c)].
  Index first(Index c) const { return std::max<Index>(0, c - (size - 1) / 2); }
  Index last(Index c, Index channels) const { return std::min(channels - 1, c + size / 2); }
};

class LRN final : public OpOf<LRN> {
 public:
  std::string_view name() const override { return "LRN"; }

  std::vector<Shape> infer(const Node& node, std::span<const Shape> inputs) const override {
    require_inputs(node, inputs, 1, 1);
    if (inputs[0].rank() < 1)
      refuse(node, "the input has no channels", to_string(inputs[0]), "one axis or more");
    const Index size = Response(node).size;
    if (size < 1) refuse(node, "the size has to be given and positive", std::to_string(size), "1 or more");
    return {inputs[0]};
  }

  template <class T>
  void run_forward(const Call<T>& call, std::span<T* const> results) const {
    each_sample(call, 1, [&](Index i, const Facts<T>& facts) {
      const T* x = call.inputs[0].at(i);
      T* y = results[0] + i * std::ssize(facts.gain);
      for (std::size_t e = 0; e < facts.gain.size(); ++e) y[e] = x[e] * facts.gain[e];
    });
  }

  // J = diag(gain) - diag(drop) W diag(x), where W[c, c'] = 1 for c' around c.
  template <class T>
  void run_pullback(const Call<T>& call, Index directions, std::span<const T* const> cotangents,
                    std::span<T* const> results) const {
    if (results[0] == nullptr) return;
    each_sample(call, directions, [&](Index i, const Facts<T>& facts) {
      const T* x = call.inputs[0].at(i);
      for (Index row = i * directions; row < (i + 1) * directions; ++row) {
        const T* from = cotangents[0] + row * std::ssize(facts.gain);
        T* to = results[0] + row * std::ssize(facts.gain);
        for (std::size_t e = 0; e < facts.gain.size(); ++e) to[e] += facts.gain[e] * from[e];
        facts.each_pair(
            [&](std::size_t e, std::size_t other) { to[other] -= facts.drop[e] * x[other] * from[e]; });
      }
    });
  }

  template <class T>
  void run_pushforward(const Call<T>& call, Index directions, std::span<const Operand<T>> tangents,
                       std::span<T* const> results) const {
    each_sample(call, directions, [&](Index i, const Facts<T>& facts) {
      const T* x = call.inputs[0].at(i);
      for (Index r = 0; r < directions; ++r) {
        const T* from = tangents[0].at(i) + r * std::ssize(facts.gain);
        T* to = results[0] + (i * directions + r) * std::ssize(facts.gain);
        for (std::size_t e = 0; e < facts.gain.size(); ++e) to[e] = facts.gain[e] * from[e];
        facts.each_pair(
            [&](std::size_t e, std::size_t other) { to[e] -= facts.drop[e] * x[other] * from[other]; });
      }
    });
  }

 private:
  /// One sample's numbers, by entry.
  template <class T>
  struct Facts {
    Response response;
    Index channels;
    Index inner;          ///< entries of a channel
    std::vector<T> gain;  ///< s^-beta
    std::vector<T> drop;  ///< 2 alpha beta / size x s^(-beta - 1)

    /// Calls use(e, other) for every entry e and every entry of the channels around it, itself among them.
    template <class Use>
    void each_pair(const Use& use) const {
      for (Index c = 0; c < channels; ++c) {
        for (Index other = response.first(c); other <= response.last(c, channels); ++other) {
          for (Index p = 0; p < inner; ++p) {
            use(static_cast<std::size_t>(c * inner + p), static_cast<std::size_t>(other * inner + p));
          }
        }
      }
    }
  };

  template <class T, class Use>
  static void each_sample(const Call<T>& call, Index directions, const Use& use) {
    const Response response(call.node);
    const Shape& shape = call.input_shapes[0];
    const auto size = static_cast<std::size_t>(shape.elements());
    for_samples(call, 2 * (response.size + 16) * directions * shape.elements(), [&](Index i) {
      Facts<T> facts{response, shape[0], shape.elements(1, shape.rank()), std::vector<T>(size),
                     std::vector<T>(size)};
      const T* x = call.inputs[0].at(i);
      facts.each_pair([&](std::size_t e, std::size_t other) { facts.gain[e] += x[other] * x[other]; });
      const T share = static_cast<T>(response.alpha / static_cast<double>(response.size));
      const T beta = static_cast<T>(response.beta);
      for (std::size_t e = 0; e < size; ++e) {
        const T s = static_cast<T>(response.bias) + share * facts.gain[e];
        facts.gain[e] = std::pow(s, -beta);
        facts.drop[e] = 2 * share * beta * x[e] * facts.gain[e] / s;
      }
      use(i, facts);
    });
  }
};

}  // namespace

void add_response_normalisation_ops(std::vector<std::unique_ptr<Op>>& table) {
  table.push_back(std::make_unique<LRN>());
}

}  // namespace tangra::ops
