// What the layers of images, sequences and tokens refuse, and where in the text.
#include <gtest/gtest.h>

#include "support/support.h"
#include "tangra/load/chain/chain.h"

namespace tangra::load {
namespace {

struct Case {
  const char* text;
  const char* where;    ///< line:column
  const char* message;  ///< a part of the message
};

void expect(const std::vector<Case>& cases, const Shape& input) {
  for (const Case& test : cases) {
    const Error error = test::error_of([&] { load_chain(test.text, {.shape = input}); });
    EXPECT_EQ(error.kind(), ErrorKind::input) << test.text;
    EXPECT_EQ(error.complaint().where, std::string("chain:") + test.where) << test.text << "\n"
                                                                           << error.what();
    EXPECT_NE(std::string(error.what()).find(test.message), std::string::npos) << test.text << "\n"
                                                                               << error.what();
  }
}

TEST(ChainLayerErrors, ArgumentsOfConvolutions) {
  expect(
      {{"Conv()", "1:1", "Conv needs the size of its kernel and in => out"},
       {"Conv((3, 3))", "1:1", "Conv needs the size of its kernel and in => out"},
       {"Conv(3, 1 => 2)", "1:6",
        "the size of the kernel cannot be this; got 3, expected a form such as (3, 3)"},
       {"Conv((3, 3, 3, 3), 1 => 2)", "1:6", "a kernel has one, two or three axes"},
       {"Conv((3, 0), 1 => 2)", "1:10", "each entry is at least 1; got 0"},
       {"Conv((3, 2.5), 1 => 2)", "1:10", "each entry is a whole number; got 2.5"},
       {"Conv((k = 3, 3), 1 => 2)", "1:7", "a tuple has no names"},
       {"Conv((3, 3), 1)", "1:14", "Conv goes from in to out; got 1"},
       {"Conv((3, 3), 1 => 2, relu, 4)", "1:28", "Conv has too many arguments"},
       {"Conv((3, 3), 1 => 2, softmax)", "1:22", "an activation acts on each entry alone"},
       {"Conv((3, 3), 1 => 2; padding = 1)", "1:22",
        "Conv has no such argument; got padding, expected stride, pad, dilation, groups, bias or init"},
       {"Conv((3, 3), 1 => 2; strid = 1)", "1:22", "Did you mean stride?"},
       {"Conv((3, 3), 1 => 2; stride = 0)", "1:31", "stride is at least 1; got 0"},
       {"Conv((3, 3), 1 => 2; stride = (1, 2, 3))", "1:31", "stride cannot be this; got (1, 2, 3)"},
       {"Conv((3, 3), 1 => 2; dilation = 9000000000000000000, pad = SamePad())", "1:33",
        "dilation is at most 2^31"},
       {"Conv((3, 3), 1 => 2; pad = -1)", "1:28", "pad is at least 0; got -1"},
       {"Conv((3, 3), 1 => 2; pad = (1, 2, 3))", "1:28", "expected a form such as (1, 1, 2, 2)"},
       {"Conv((3, 3), 1 => 2; pad = SamePad)", "1:28", "SamePad is written as a call"},
       {"Conv((3, 3), 1 => 2; pad = SamePad(1))", "1:28", "SamePad is written as a call"},
       {"Conv((3, 3), 1 => 2; pad = same)", "1:28", "pad is a whole number; got same"},
       {"Conv((3, 3), 1 => 2; groups = 2)", "1:31", "the channels do not divide into the groups"},
       {"Conv((3, 3), 4 => 6; groups = 4)", "1:31", "expected numbers of channels that are multiples of 4"},
       {"Conv((3, 3), 1 => 2; bias = zeros)", "1:29", "expected true or false"},
       {"Conv((3, 3), 1 => 2; init = randn)", "1:29", "there is no such initialiser"},
       {"Conv((3, 3), 1 => 2; stride = 1, stride = 2)", "1:34", "an argument is given twice"},
       {"Conv((3, 3), 1 => 2; outpad = 1)", "1:22", "Conv has no such argument"},
       {"Conv((3, 3), xs...)", "1:14", "a layer has no such argument"},
       {"Conv((3, 3), 65536 => 65536)", "1:1", "at most 2^31 weights in one layer"},
       {"Conv((60000, 60000), 1 => 1)", "1:1", "at most 2^31 weights in one layer"},
       {"DepthwiseConv((3, 3), 2 => 3)", "1:23", "out is no multiple of in"},
       {"DepthwiseConv((3, 3), 2 => 4; groups = 2)", "1:31", "DepthwiseConv has no such argument"},
       {"CrossCor((3, 3), 2 => 4; groups = 2)", "1:26", "CrossCor has no such argument"},
       {"ConvTranspose((2, 2), 1 => 2; stride = 3, pad = SamePad())", "1:49",
        "the kernel is shorter than the stride"},
       {"MaxPool(2)", "1:9", "the size of the kernel cannot be this"},
       {"MaxPool()", "1:1", "MaxPool needs the size of its window"},
       {"MaxPool((2, 2); dilation = 2)", "1:17",
        "MaxPool has no such argument; got dilation, expected stride or pad"},
       {"GlobalMeanPool(2)", "1:16", "GlobalMeanPool has too many arguments"},
       {"GlobalMeanPool", "1:1", "a layer has no arguments; got GlobalMeanPool, expected GlobalMeanPool()"},
       {"AdaptiveMeanPool((1, 1, 1, 1))", "1:18", "a result has one, two or three axes"},
       {"AdaptiveMeanPool((2, 2); pad = 1)", "1:26", "AdaptiveMeanPool has no such argument"}},
      {1, 8, 8});
}

TEST(ChainLayerErrors, ImagesThatDoNotFit) {
  expect({{"Chain(relu, Conv((3, 3), 3 => 2))", "1:13",
           "layer 1 (Conv) takes images (3, height, width), layer 0 gives (1, 8, 8)"},
          {"Conv((3,), 1 => 2)", "1:1", "takes images (1, length), the input gives (1, 8, 8)"},
          {"Conv((9, 3), 1 => 2)", "1:1",
           "layer 0 (Conv) cannot be applied to the input: the kernel is longer than the padded input"},
          {"ConvTranspose((2, 2), 1 => 2; pad = 8)", "1:1", "the result has no entries"},
          {"MaxPool((2, 2, 2))", "1:1", "takes images (channels, depth, height, width)"},
          {"AdaptiveMaxPool((4, 9))", "1:1", "makes nothing longer; got a length of 8, expected 9 or more"},
          {"AdaptiveMaxPool((4,))", "1:1", "takes images (channels, length)"},
          {"Chain(flatten, GlobalMaxPool())", "1:16", "layer 1 (GlobalMaxPool) cannot be applied to layer 0"},
          {"Chain(Conv((1, 1), 1 => 3), Dense(192 => 4))", "1:29",
           "layer 1 (Dense) takes 192 features, layer 0 gives (3, 8, 8). Put Flux.flatten before it"},
          {"SkipConnection(Conv((3, 3), 1 => 1), +)", "1:1",
           "(1, 6, 6) from layer 0.0 and (1, 8, 8) from its input"},
          {"SkipConnection(Conv((3, 3), 1 => 1), .+)", "1:1",
           "equal shapes, or lengths of 1 in place of an axis"},
          {"SkipConnection(Conv((3, 3), 1 => 1), cat)", "1:1", "equal shapes but for one axis"},
          {"SkipConnection(flatten, cat)", "1:1", "(64,) from layer 0.0 and (1, 8, 8) from its input"},
          {"Parallel((a, b) -> cat(a, b; dims = 4), relu, tanh)", "1:1",
           "layer 0 has no axis 4 to put its branches together along"}},
         {1, 8, 8});
}

TEST(ChainLayerErrors, Normalisations) {
  expect({{"BatchNorm()", "1:1", "BatchNorm needs its number of channels"},
          {"BatchNorm(3 => 3)", "1:11", "a number of channels is a whole number"},
          {"BatchNorm(3)", "1:1",
           "layer 0 (BatchNorm) takes 3 channels along the first axis, the input gives (4, 5)"},
          {"BatchNorm(4, track_stats = false)", "1:28", "mixes the samples of a batch"},
          {"BatchNorm(4; initβ = ones)", "1:14", "BatchNorm has no such argument"},
          {"BatchNorm(4; eps = -1)", "1:20", "this cannot be eps; got -1, expected a number of 0 or more"},
          {"BatchNorm(4; affine = 1)", "1:23", "this cannot be said of affine"},
          {"GroupNorm(4)", "1:1", "GroupNorm needs its numbers of channels and groups"},
          {"GroupNorm(4, 3)", "1:14",
           "the channels do not divide into the groups; got 3, expected a divisor of 4"},
          {"GroupNorm(4, 2; track_stats = true)", "1:31", "statistics of the sample alone"},
          {"InstanceNorm(4; track_stats = true)", "1:31", "statistics of the sample alone"},
          {"Chain(flatten, InstanceNorm(20))", "1:16", "at least one more axis, layer 0 gives (20,)"},
          {"LayerNorm()", "1:1", "LayerNorm needs to know its size"},
          {"LayerNorm(4)", "1:1", "takes values whose last axes are (4,), the input gives (4, 5)"},
          {"LayerNorm(4, 5)", "1:1", "takes values whose last axes are (5, 4), the input gives (4, 5)"},
          {"LayerNorm((5, 4), 3)", "1:19", "this is not a function; got 3"},
          {"LayerNorm(5, relu, tanh)", "1:20", "LayerNorm has too many arguments"},
          {"LayerNorm(65536, 65536)", "1:1", "at most 2^31 weights"},
          {"Scale(3)", "1:1", "layer 0 (Scale) takes values whose last axes are (3,)"},
          {"Scale(relu)", "1:1", "Scale needs to know its size"},
          {"Scale(5; init = ones)", "1:10", "Scale has no such argument; got init, expected bias"}},
         {4, 5});
}

TEST(ChainLayerErrors, SequencesAndTokens) {
  expect(
      {{"Embedding(10)", "1:11", "Embedding goes from in to out"},
       {"Embedding(10 => 4, relu)", "1:20", "Embedding has too many arguments"},
       {"MultiHeadAttention()", "1:1", "MultiHeadAttention needs to know its widths"},
       {"MultiHeadAttention(5)", "1:20",
        "the features do not divide into 8 heads; got 5, expected nheads that divides 5"},
       {"MultiHeadAttention(6; nheads = 4)", "1:32", "do not divide into 4 heads"},
       {"MultiHeadAttention(6 => (4, 9) => 6; nheads = 4)", "1:47", "nheads that divides 4 and 9"},
       {"MultiHeadAttention(6 => 6)", "1:20", "are one number, or three steps"},
       {"MultiHeadAttention((6, 6, 4) => 6 => 6; nheads = 2)", "1:20", "come from the same input"},
       {"MultiHeadAttention((6, 6) => 6 => 6; nheads = 2)", "1:20", "the widths of the input cannot be this"},
       {"MultiHeadAttention(6 => (6, 6, 6) => 6; nheads = 2)", "1:25", "cannot be this; got (6, 6, 6)"},
       {"MultiHeadAttention(6 => 6 => 6 => 6; nheads = 2)", "1:30", "a width is a whole number"},
       {"MultiHeadAttention(8; heads = 2)", "1:23", "Did you mean nheads?"},
       {"MultiHeadAttention(8)", "1:1", "takes sequences (length, 8), the input gives (4, 5)"},
       {"Chain(relu, first)", "1:13", "first takes the result of MultiHeadAttention"},
       {"Dropout()", "1:1", "Dropout needs its probability"},
       {"Dropout(1.5)", "1:9", "this is not a probability; got 1.5"},
       {"Bilinear(5)", "1:10", "Bilinear goes from in to out"},
       {"Bilinear((5, 5, 5) => 2)", "1:10", "the widths cannot be this"},
       {"Bilinear((5, 4) => 2)", "1:1", "layer 0 (Bilinear) takes 5 and 4 features; got (4, 5) and (4, 5)"},
       {"Parallel(Bilinear(5 => 2), relu)", "1:1", "Bilinear joins two branches"},
       {"Parallel(Bilinear(5 => 2), relu, connection = tanh)", "1:34", "taken by the layer that joins"},
       {"Bilinear((65536, 65536) => 1)", "1:1", "at most 2^31 weights"},
       {"1 => 2 => 3 => 4 => 5 => 6 => 7 => 8 => 9", "1:38", "too many steps in a row"}},
      {4, 5});
}

TEST(ChainLayerErrors, FunctionsOfWholeArrays) {
  expect({{"x -> reshape(x, 4, 5)", "1:6", "the samples stay the last axis"},
          {"x -> reshape(x, :, 5, :)", "1:17", "each length is a whole number; got :"},
          {"x -> reshape(x, 3, 5, :)", "1:1",
           "layer 0 (reshape) takes 15 entries, to make (5, 3), the input gives (4, 5)"},
          {"x -> reshape(x, 65536, 65536, :)", "1:6", "more than 2^31 entries"},
          {"x -> permutedims(x)", "1:6", "permutedims takes an order of axes"},
          {"x -> permutedims(x, (3, 1, 2))", "1:21", "no order of axes that leaves the samples last"},
          {"x -> permutedims(x, (1, 1, 3))", "1:21", "no order of axes"},
          {"x -> permutedims(x, (2, 3, 1, 4))", "1:1", "takes values of 3 axes, the input gives (4, 5)"},
          {"x -> mean(x)", "1:6", "mean needs to know its axes"},
          {"x -> mean(x; dims = 3)", "1:1", "takes values of 3 axes or more, the input gives (4, 5)"},
          {"x -> sum(x; dims = 0)", "1:20", "dims is at least 1"},
          {"x -> flatten(x, 2)", "1:6", "a layer cannot stand here; got flatten"},
          {"Dense(5 => 2, flatten)", "1:15", "a layer cannot stand here"},
          {"(a, b) -> cat(a, b)", "1:1", "of functions in this form"},
          {"SkipConnection(relu, (a, b) -> cat(b, a; dims = 1))", "1:22", "only cat, vcat and hcat"},
          {"SkipConnection(relu, (a, b) -> cat(a, b; dims = 0))", "1:49", "dims is at least 1"},
          {"SkipConnection(relu, (a...) -> vcat(a))", "1:22", "only cat, vcat and hcat"}},
         {4, 5});
}

}  // namespace
}  // namespace tangra::load
