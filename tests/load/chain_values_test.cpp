// What the layers of chain texts compute, against their definitions written out in Flux's terms: arrays with
// the first axis fastest, (width, height, channels), kernels turned round.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "load/onnx/run.h"
#include "support/support.h"
#include "tangra/base/rng.h"
#include "tangra/load/chain/chain.h"

namespace tangra::load {
namespace {

/// An array of up to four axes as Julia has it: the first axis is the fastest. Its memory is that of our
/// array with the axes in reverse order.
struct FluxArray {
  std::array<Index, 4> size{1, 1, 1, 1};
  std::vector<double> entries;

  FluxArray(std::initializer_list<Index> lengths, std::vector<double> values) : entries(std::move(values)) {
    std::ranges::copy(lengths, size.begin());
    EXPECT_EQ(size[0] * size[1] * size[2] * size[3], static_cast<Index>(entries.size()));
  }
  explicit FluxArray(std::initializer_list<Index> lengths) {
    std::ranges::copy(lengths, size.begin());
    entries.resize(static_cast<std::size_t>(size[0] * size[1] * size[2] * size[3]));
  }
  double& operator()(Index i, Index j = 0, Index k = 0, Index l = 0) {
    return entries[static_cast<std::size_t>(((l * size[2] + k) * size[1] + j) * size[0] + i)];
  }
};

/// Entries uniform in [low, high].
Tensor<double> random_tensor(const Shape& shape, std::uint64_t seed, double low, double high) {
  const RandomStream random(seed, 0);
  Tensor<double> tensor(shape);
  for (Index k = 0; k < tensor.size(); ++k)
    tensor[k] = low + (high - low) * random.uniform(static_cast<std::uint64_t>(k));
  return tensor;
}

/// A chain of one layer, with all its parameters drawn anew (variances positive), and one random sample.
struct Case {
  Graph graph;
  Tensor<double> input;

  Case(const std::string& text, const Shape& shape, const ChainOptions& given = {}) {
    ChainOptions options = given;
    options.shape = shape;
    graph = load_chain(text, options);
    std::uint64_t seed = 100;
    for (Parameter& own : graph.parameters) {
      const bool variance = own.name.ends_with("running_var");
      own.data = Array(random_tensor(own.data.shape(), ++seed, variance ? 0.5 : -1, 2));
    }
    input = random_tensor(shape.with_leading(1), 7, -2, 1);
  }
  std::vector<double> parameter(const std::string& name) const {
    const auto entries = graph.parameter(graph.find_parameter(name)).data.as<double>();
    return {entries.begin(), entries.end()};
  }
  std::vector<double> sample() const { return {input.begin(), input.end()}; }
  std::vector<double> result() const {
    std::vector<Tensor<double>> inputs;
    inputs.push_back(input.clone());
    const auto outputs = test::onnx::run<double>(std::make_shared<const Graph>(graph), std::move(inputs));
    return {outputs[0].begin(), outputs[0].end()};
  }
};

void expect_equal(const std::vector<double>& result, const std::vector<double>& expected) {
  ASSERT_EQ(result.size(), expected.size());
  double largest = 0;
  for (const double entry : expected) largest = std::max(largest, std::abs(entry));
  // Sums of at most some hundred products, in another order.
  for (std::size_t k = 0; k < result.size(); ++k) EXPECT_NEAR(result[k], expected[k], 1e-13 * largest) << k;
}

/// Flux's weight of a convolution: ours with every kernel turned round.
FluxArray flux_weight(std::initializer_list<Index> size, const std::vector<double>& ours) {
  FluxArray same(size, ours);
  FluxArray turned(size);
  for (Index l = 0; l < same.size[3]; ++l)
    for (Index k = 0; k < same.size[2]; ++k)
      for (Index j = 0; j < same.size[1]; ++j)
        for (Index i = 0; i < same.size[0]; ++i)
          turned(i, j, k, l) = same(same.size[0] - 1 - i, same.size[1] - 1 - j, k, l);
  return turned;
}

struct Geometry {
  std::array<Index, 2> stride{1, 1};
  std::array<Index, 4> pad{0, 0, 0, 0};  ///< begin, end of the width, of the height
  std::array<Index, 2> dilation{1, 1};
  Index groups = 1;
};

/// Calls visit(pixel of x, entry of w, pixel of y) for all that belong together in y = conv(x, w): NNlib's
/// convolution, sum over k of x[i - k] w[k]. w is (width, height, in / groups, out).
template <class Visit>
void each_product(FluxArray& x, FluxArray& w, FluxArray& y, const Geometry& at, const Visit& visit) {
  const Index out_of_group = w.size[3] / at.groups;
  for (Index o = 0; o < w.size[3]; ++o)
    for (Index c = 0; c < w.size[2]; ++c)
      for (Index j = 0; j < y.size[1]; ++j)
        for (Index i = 0; i < y.size[0]; ++i)
          for (Index kj = 0; kj < w.size[1]; ++kj)
            for (Index ki = 0; ki < w.size[0]; ++ki) {
              const Index xi = i * at.stride[0] - at.pad[0] + (w.size[0] - 1 - ki) * at.dilation[0];
              const Index xj = j * at.stride[1] - at.pad[2] + (w.size[1] - 1 - kj) * at.dilation[1];
              if (xi < 0 || xj < 0 || xi >= x.size[0] || xj >= x.size[1]) continue;
              visit(x(xi, xj, o / out_of_group * w.size[2] + c), w(ki, kj, c, o), y(i, j, o));
            }
}

TEST(ChainValues, ConvolutionsAreFluxsWithKernelsTurnedRound) {
  const Case one("Conv((3, 2), 4 => 6; stride = (2, 1), pad = (1, 2, 0, 1), dilation = (1, 3), groups = 2)",
                 {4, 7, 9});
  FluxArray x({9, 7, 4}, one.sample());
  FluxArray w = flux_weight({3, 2, 2, 6}, one.parameter("0.weight"));
  FluxArray y({5, 5, 6});
  const std::vector<double> bias = one.parameter("0.bias");
  for (std::size_t k = 0; k < y.entries.size(); ++k) y.entries[k] = bias[k / 25];
  const Geometry at{.stride = {2, 1}, .pad = {1, 2, 0, 1}, .dilation = {1, 3}, .groups = 2};
  each_product(x, w, y, at, [](double a, double b, double& sum) { sum += a * b; });
  expect_equal(one.result(), y.entries);
  expect_equal(
      Case("CrossCor((3, 2), 4 => 6; stride = (2, 1), pad = (1, 2, 0, 1), dilation = (1, 3))", {4, 7, 9})
          .result(),
      Case("Conv((3, 2), 4 => 6; stride = (2, 1), pad = (1, 2, 0, 1), dilation = (1, 3))", {4, 7, 9})
          .result());
}

TEST(ChainValues, DepthwiseConvolutionsTakeOneChannelEach) {
  const Case one("DepthwiseConv((2, 3), 3 => 6; bias = false)", {3, 6, 5});
  FluxArray x({5, 6, 3}, one.sample());
  FluxArray w = flux_weight({2, 3, 1, 6}, one.parameter("0.weight"));
  FluxArray y({4, 4, 6});
  each_product(x, w, y, {.groups = 3}, [](double a, double b, double& sum) { sum += a * b; });
  expect_equal(one.result(), y.entries);
}

TEST(ChainValues, TransposedConvolutionsAreTheAdjointsOfFluxs) {
  const Case one(
      "ConvTranspose((3, 2), 4 => 6; stride = (2, 3), pad = (1, 0, 0, 1), outpad = (1, 0), groups = 2)",
      {4, 3, 5});
  // The roles of x and y are exchanged: the weight is (width, height, out / groups, in).
  FluxArray g({5, 3, 4}, one.sample());
  FluxArray w = flux_weight({3, 2, 3, 4}, one.parameter("0.weight"));
  FluxArray y({11, 7, 6});
  const std::vector<double> bias = one.parameter("0.bias");
  for (std::size_t k = 0; k < y.entries.size(); ++k) y.entries[k] = bias[k / 77];
  const Geometry at{.stride = {2, 3}, .pad = {1, 0, 0, 1}, .dilation = {1, 1}, .groups = 2};
  each_product(y, w, g, at, [](double& sum, double b, double a) { sum += a * b; });
  expect_equal(one.result(), y.entries);
}

TEST(ChainValues, MeansCountPaddingAndMaximaDoNot) {
  const std::string window = "((3, 2); stride = (2, 1), pad = (1, 1, 1, 0))";
  const Case mean("MeanPool" + window, {2, 4, 5});
  const Case maximum("MaxPool" + window, {2, 4, 5});
  FluxArray x({5, 4, 2}, mean.sample());
  FluxArray sums({3, 4, 2});
  FluxArray largest({3, 4, 2}, std::vector<double>(24, -1e9));
  for (Index c = 0; c < 2; ++c)
    for (Index j = 0; j < 4; ++j)
      for (Index i = 0; i < 3; ++i)
        for (Index kj = 0; kj < 2; ++kj)
          for (Index ki = 0; ki < 3; ++ki) {
            const Index xi = 2 * i - 1 + ki;
            const Index xj = j - 1 + kj;
            if (xi < 0 || xj < 0 || xi >= 5 || xj >= 4) continue;
            sums(i, j, c) += x(xi, xj, c) / 6;
            largest(i, j, c) = std::max(largest(i, j, c), x(xi, xj, c));
          }
  expect_equal(mean.result(), sums.entries);
  expect_equal(maximum.result(), largest.entries);
}

TEST(ChainValues, AdaptivePoolsCoverTheImage) {
  const Case one("AdaptiveMeanPool((3, 2))", {1, 5, 7});  // windows of 3 x 3 pixels, moved by 2 and 2
  FluxArray x({7, 5, 1}, one.sample());
  FluxArray y({3, 2, 1});
  for (Index j = 0; j < 2; ++j)
    for (Index i = 0; i < 3; ++i)
      for (Index kj = 0; kj < 3; ++kj)
        for (Index ki = 0; ki < 3; ++ki) y(i, j) += x(2 * i + ki, 2 * j + kj) / 9;
  expect_equal(one.result(), y.entries);
}

/// (x - mean) / sqrt(variance + epsilon) of entries [begin, end).
void normalise(std::vector<double>& x, std::size_t begin, std::size_t end, double epsilon) {
  const auto count = static_cast<double>(end - begin);
  double mean = 0;
  double variance = 0;
  for (std::size_t k = begin; k < end; ++k) mean += x[k] / count;
  for (std::size_t k = begin; k < end; ++k) variance += (x[k] - mean) * (x[k] - mean) / count;
  for (std::size_t k = begin; k < end; ++k) x[k] = (x[k] - mean) / std::sqrt(variance + epsilon);
}

TEST(ChainValues, NormalisationsAsWrittenOut) {
  const Case batch("BatchNorm(4, tanh; eps = 0.01)", {4, 3, 2});
  const Case group("GroupNorm(4, 2)", {4, 3, 2});
  const Case instance("InstanceNorm(4; affine = true)", {4, 3, 2});
  const Case plain("InstanceNorm(4)", {4, 3, 2});
  const Case layer("LayerNorm((2, 3); eps = 0.1)", {4, 3, 2});
  const Case rows("LayerNorm(2, x -> leakyrelu(x, 0.3); affine = false)", {4, 3, 2});
  std::vector<double> by_batch = batch.sample(), by_group = by_batch, by_instance = by_batch,
                      by_layer = by_batch, by_row = by_batch;
  const auto mean = batch.parameter("0.running_mean");
  const auto variance = batch.parameter("0.running_var");
  for (std::size_t c = 0; c < 2; ++c) normalise(by_group, 12 * c, 12 * (c + 1), 1e-5);
  for (std::size_t c = 0; c < 4; ++c) normalise(by_instance, 6 * c, 6 * (c + 1), 1e-5);
  for (std::size_t c = 0; c < 4; ++c) normalise(by_layer, 6 * c, 6 * (c + 1), 0.1);
  for (std::size_t c = 0; c < 12; ++c) normalise(by_row, 2 * c, 2 * (c + 1), 1e-5);
  const std::vector<double> by_plain = by_instance;
  for (std::size_t k = 0; k < 24; ++k) {
    const std::size_t c = k / 6;
    const double unit = (by_batch[k] - mean[c]) / std::sqrt(variance[c] + 0.01);
    by_batch[k] = std::tanh(batch.parameter("0.weight")[c] * unit + batch.parameter("0.bias")[c]);
    by_group[k] = group.parameter("0.weight")[c] * by_group[k] + group.parameter("0.bias")[c];
    by_instance[k] = instance.parameter("0.weight")[c] * by_instance[k] + instance.parameter("0.bias")[c];
    by_layer[k] = layer.parameter("0.weight")[k % 6] * by_layer[k] + layer.parameter("0.bias")[k % 6];
    if (by_row[k] < 0) by_row[k] *= 0.3;
  }
  expect_equal(batch.result(), by_batch);
  expect_equal(group.result(), by_group);
  expect_equal(instance.result(), by_instance);
  expect_equal(plain.result(), by_plain);
  expect_equal(layer.result(), by_layer);
  expect_equal(rows.result(), by_row);
}

TEST(ChainValues, EmbeddingsTakeRowsAndScalesGoEntryByEntry) {
  Case embedding("Embedding(5 => 3)", {4});
  const std::size_t tokens[] = {4, 0, 2, 4};
  std::vector<double> expected;
  for (std::size_t k = 0; k < 4; ++k) {
    embedding.input[static_cast<Index>(k)] = static_cast<double>(tokens[k]);
    for (std::size_t f = 0; f < 3; ++f)
      expected.push_back(embedding.parameter("0.weight")[3 * tokens[k] + f]);
  }
  expect_equal(embedding.result(), expected);
  embedding.input[2] = 5;
  EXPECT_EQ(test::error_of([&] { embedding.result(); }).kind(), ErrorKind::input);

  const Case scale("Scale(3, 2, x -> relu(x))", {4, 2, 3});
  expected = scale.sample();
  for (std::size_t k = 0; k < 24; ++k) {
    expected[k] =
        std::max(0.0, scale.parameter("0.weight")[k % 6] * expected[k] + scale.parameter("0.bias")[k % 6]);
  }
  expect_equal(scale.result(), expected);
}

TEST(ChainValues, BilinearIsAFormForEachResult) {
  const Case one("Parallel(Bilinear((3, 2) => 4, tanh), Dense(5 => 3), Dense(5 => 2))", {2, 5});
  const auto dense = [&](const std::string& name, std::size_t out, std::size_t row) {
    std::vector<double> y = one.parameter(name + ".bias");
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t k = 0; k < 5; ++k)
        y[o] += one.parameter(name + ".weight")[5 * o + k] * one.sample()[5 * row + k];
    return y;
  };
  std::vector<double> expected;
  for (std::size_t row = 0; row < 2; ++row) {
    const std::vector<double> x = dense("0.0", 3, row);
    const std::vector<double> y = dense("0.1", 2, row);
    for (std::size_t o = 0; o < 4; ++o) {
      double sum = one.parameter("0.connection.bias")[o];
      for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 2; ++j)
          sum += one.parameter("0.connection.weight")[6 * o + 2 * i + j] * x[i] * y[j];
      expected.push_back(std::tanh(sum));
    }
  }
  expect_equal(one.result(), expected);
}

TEST(ChainValues, AttentionAsWrittenOut) {
  constexpr std::size_t length = 3, in = 4, keys = 6, values = 2, out = 5, heads = 2;
  const Case one("MultiHeadAttention(4 => (6, 2) => 5; nheads = 2, bias = true)", {3, 4});
  const auto linear = [&](const std::vector<double>& x, const std::string& name, std::size_t from,
                          std::size_t to) {
    std::vector<double> y(length * to);
    for (std::size_t t = 0; t < length; ++t)
      for (std::size_t o = 0; o < to; ++o) {
        y[t * to + o] = one.parameter("0." + name + ".bias")[o];
        for (std::size_t k = 0; k < from; ++k)
          y[t * to + o] += one.parameter("0." + name + ".weight")[o * from + k] * x[t * from + k];
      }
    return y;
  };
  const std::vector<double> q = linear(one.sample(), "q_proj", in, keys);
  const std::vector<double> k = linear(one.sample(), "k_proj", in, keys);
  const std::vector<double> v = linear(one.sample(), "v_proj", in, values);
  std::vector<double> mixed(length * values);
  constexpr std::size_t d = keys / heads, dv = values / heads;
  for (std::size_t h = 0; h < heads; ++h)
    for (std::size_t t = 0; t < length; ++t) {
      std::vector<double> weight(length);
      double sum = 0;
      for (std::size_t s = 0; s < length; ++s) {
        double score = 0;
        for (std::size_t e = 0; e < d; ++e) score += q[t * keys + h * d + e] * k[s * keys + h * d + e];
        weight[s] = std::exp(score / std::sqrt(static_cast<double>(d)));
        sum += weight[s];
      }
      for (std::size_t s = 0; s < length; ++s)
        for (std::size_t e = 0; e < dv; ++e)
          mixed[t * values + h * dv + e] += weight[s] / sum * v[s * values + h * dv + e];
    }
  expect_equal(one.result(), linear(mixed, "out_proj", values, out));
}

TEST(ChainValues, ArraysAreReducedAndTurnedAlongFluxsAxes) {
  const Case mean("x -> mean(x; dims = 2)", {2, 3, 4});
  const Case turned("x -> permutedims(x, (3, 1, 2, 4))", {2, 3, 4});
  FluxArray x({4, 3, 2}, mean.sample());
  FluxArray means({4, 1, 2});
  FluxArray order({2, 4, 3});
  for (Index k = 0; k < 2; ++k)
    for (Index j = 0; j < 3; ++j)
      for (Index i = 0; i < 4; ++i) {
        means(i, 0, k) += x(i, j, k) / 3;
        order(k, i, j) = x(i, j, k);
      }
  expect_equal(mean.result(), means.entries);
  expect_equal(turned.result(), order.entries);
  // Neither flatten nor reshape moves anything, here as in Flux.
  for (const char* text : {"flatten", "x -> reshape(x, 2, 12, :)"}) {
    const Case same(text, {2, 3, 4});
    expect_equal(same.result(), same.sample());
  }
}

TEST(ChainValues, TheNtkParameterisationDividesByTheTermsOfASum) {
  const Parameterization ntk{.kind = Parameterization::Kind::ntk, .sigma_w = 1.5, .sigma_b = 0.2};
  const struct {
    const char* text;
    Shape input;
    const char* weight;
    double terms;  ///< products that are summed into one entry of the result
  } cases[] = {{"Conv((3, 2), 4 => 6; groups = 2)", {4, 5, 5}, "0.weight", 12},
               {"DepthwiseConv((3, 3), 2 => 4)", {2, 5, 5}, "0.weight", 9},
               {"ConvTranspose((3, 2), 4 => 6; groups = 2)", {4, 5, 5}, "0.weight", 12},
               {"Bilinear((3, 3) => 2)", {3}, "0.weight", 9},
               {"Embedding(7 => 3)", {2}, "0.weight", 1},
               {"MultiHeadAttention(4 => 6 => 3; nheads = 2, bias = true)", {2, 4}, "0.out_proj.weight", 6},
               {"MultiHeadAttention(4 => 6 => 3; nheads = 2)", {2, 4}, "0.q_proj.weight", 4}};
  for (const auto& [text, input, weight, terms] : cases) {
    const Graph graph = load_chain(text, {.parameterization = ntk, .shape = input});
    const std::string scale = std::string(weight) + ".scale";
    const auto found = std::ranges::find_if(
        graph.constants, [&](const Constant& one) { return graph.value(one.value).name == scale; });
    ASSERT_NE(found, graph.constants.end()) << text;
    EXPECT_DOUBLE_EQ(found->data.as<double>()[0], 1.5 / std::sqrt(terms)) << text;
    for (const Constant& one : graph.constants) {
      const bool of_bias = graph.value(one.value).name.ends_with("bias.scale");
      EXPECT_EQ(of_bias ? one.data.as<double>()[0] : 0.2, 0.2) << text;
    }
  }
  // Gains and shifts stay as they are.
  EXPECT_TRUE(load_chain("LayerNorm(3)", {.parameterization = ntk, .shape = Shape{3}}).constants.empty());
}

}  // namespace
}  // namespace tangra::load
