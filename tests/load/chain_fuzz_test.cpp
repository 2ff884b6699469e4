#include <gtest/gtest.h>

#include "support/support.h"
#include "tangra/base/rng.h"
#include "tangra/load/chain/chain.h"
#include "tangra/load/chain/layer_spec.h"

namespace tangra::load {
namespace {

const std::string long_text =
    "# everything that the format has\n"
    "model = Chain(first = Dense(12 => 5, σ; bias = false, init = he), #= a #= nested =# comment =#\n"
    "  Dense(5, 1_0, x -> leakyrelu.(x, 0.2f0)), Flux.relu, elu(1.5e-1),\n"
    "  SkipConnection(Chain(Dense(10 => 2 * 5, tanh), gelu_erf), +),\n"
    "  SkipConnection(Dense(10 => 3), vcat), Parallel(*, a = Dense(13 => 2^2), Chain(Dense(13 => 4), .5 |> "
    "relu)),\n"
    "  softplus, Dense(4 => 3), log_softmax,\n);";

const std::string text_of_images =
    "Chain(Conv((3, 2), 2 => 4, relu; stride = (2, 1), pad = (1, 0, 2, 1), groups = 2), MaxPool((2, 2); pad "
    "= "
    "SamePad()),\n"
    "  BatchNorm(4, tanh; eps = 1f-4), SkipConnection(DepthwiseConv((1, 1), 4 => 4), (a, b) -> cat(a, b; "
    "dims = 3)),\n"
    "  ConvTranspose((2, 2), 8 => 2; outpad = (1, 0), bias = false), GroupNorm(2, 1), AdaptiveMeanPool((3, "
    "4)),\n"
    "  x -> reshape(x, 6, 4, :), LayerNorm((6, 4)), Scale(6), SkipConnection(Chain(MultiHeadAttention(\n"
    "  6 => (4, 6) => 6; nheads = 2), first), .+), x -> permutedims(x, (2, 1, 3)), x -> mean(x; dims = (1, "
    "2)),\n"
    "  flatten, Bilinear((1, 1) => 9), Dropout(0.5), Embedding(3 => 2), Parallel((x...) -> hcat(x...), relu, "
    "tanh))";

/// Weights of all layers, so that a text whose widths grew by an edit is not built.
double weights(const LayerSpec& layer) {
  double sum = layer.layer ? layer.layer->weights() : layer.join.layer ? layer.join.layer->weights() : 0;
  for (const LayerSpec& each : layer.layers) sum += weights(each);
  return sum;
}

/// Whether the text is a network. Anything but an Error that comes out fails the test.
bool accepts(const std::string& text) {
  try {
    if (weights(read_layers({.text = text, .name = "fuzz"})) < 1e5)
      load_chain(text, {.input = Shape{2, 8, 8}});
    return true;
  } catch (const Error& error) {
    EXPECT_NE(error.kind(), ErrorKind::internal) << error.what() << "\n" << text;
    EXPECT_LT(std::string(error.what()).size(), 1500U) << text;
    return false;
  }
}

std::string sound_text() {
  std::string text = long_text;
  return text.erase(text.find(".5 |> "), 6);
}

TEST(ChainFuzz, TheTextsThemselvesAreSound) {
  EXPECT_TRUE(accepts(sound_text()));
  EXPECT_TRUE(accepts(text_of_images));
  EXPECT_FALSE(accepts(long_text));
}

TEST(ChainFuzz, EveryPrefixAndEverySuffix) {
  for (const std::string& text : {sound_text(), text_of_images}) {
    for (std::size_t length = 0; length + 2 < text.size(); ++length) {
      EXPECT_FALSE(accepts(text.substr(0, length))) << text.substr(0, length);
      accepts(text.substr(length));
    }
  }
}

TEST(ChainFuzz, RandomEdits) {
  constexpr std::string_view alphabet = "()(),,;:=>-+*.^#\n 0123456789_efxDenseChainreluσ\xff\xe2";
  const RandomStream random(1, 0);
  std::uint64_t at = 0;
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random.bits(at++) % bound); };
  int sound = 0;
  for (int round = 0; round < 20011; ++round) {
    const std::string text = round % 2 == 0 ? sound_text() : text_of_images;
    std::string edited = text;
    for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
      const std::size_t place = below(edited.size());
      const char letter = below(8) == 0 ? static_cast<char>(below(256)) : alphabet[below(alphabet.size())];
      switch (below(4)) {
        case 0:
          edited[place] = letter;
          break;
        case 1:
          edited.insert(place, 1, letter);
          break;
        case 2:
          edited.erase(place, 1 + below(5));
          break;
        default:
          edited.insert(place, text.substr(below(text.size()), below(20)));
          break;
      }
    }
    sound += accepts(edited) ? 1 : 0;
  }
  // The edits are mild enough for some to leave a network, and hard enough for most not to.
  EXPECT_GT(sound, 100);
  EXPECT_LT(sound, 15000);
}

TEST(ChainFuzz, RandomBytes) {
  const RandomStream random(2, 0);
  for (std::uint64_t round = 0; round < 2003; ++round) {
    std::string text = round % 2 == 0 ? "Chain(" : "";
    for (std::uint64_t k = 0; k < round % 61; ++k)
      text += static_cast<char>(random.bits(round << 8 | k) % 256);
    accepts(text);
  }
}

}  // namespace
}  // namespace tangra::load
