// The shape of a chain's input: from the text, from the data, from --input-shape.
#include <gtest/gtest.h>

#include "support/support.h"
#include "tangra/load/chain/chain.h"

namespace tangra::load {
namespace {

Shape input_of(const std::string& text, const ChainOptions& options = {}) {
  const Graph graph = load_chain(text, options);
  return graph.shape(graph.inputs.at(0));
}

struct Case {
  const char* text;
  Shape data;
  Shape input;
};

TEST(ChainInput, IsTheDatasWhereTheTextLeavesItOpen) {
  for (const Case& test : std::initializer_list<Case>{
           {"Conv((3, 3), 1 => 2)", {1, 28, 28}, {1, 28, 28}},
           {"Conv((3, 3), 3 => 2)", {3, 9, 5}, {3, 9, 5}},
           {"Conv((3, 3), 1 => 2)", {9, 5}, {1, 9, 5}},  // pictures without an axis of channels
           {"Conv((3,), 1 => 2)", {64}, {1, 64}},
           {"Conv((3,), 4 => 2)", {4, 10}, {4, 10}},
           {"ConvTranspose((3, 3), 2 => 2)", {2, 3, 3}, {2, 3, 3}},
           {"MaxPool((2, 2))", {3, 6, 6}, {3, 6, 6}},
           {"MaxPool((2, 2))", {6, 6}, {1, 6, 6}},
           {"GlobalMeanPool()", {3, 6, 6}, {3, 6, 6}},
           {"Chain(relu, BatchNorm(3), Dropout(0.1), Conv((1, 1), 3 => 1))", {3, 4, 4}, {3, 4, 4}},
           {"Chain(SkipConnection(Conv((1, 1), 3 => 3), +))", {3, 4, 4}, {3, 4, 4}},
           {"Embedding(10 => 4)", {7}, {7}},
           {"MultiHeadAttention(8)", {5, 8}, {5, 8}},
           {"Chain(LayerNorm(8), Dense(8 => 2))", {5, 8}, {5, 8}},
           {"Chain(flatten, Dense(12 => 3))", {3, 2, 2}, {3, 2, 2}},
           {"Chain(BatchNorm(3), flatten, Dense(12 => 3))", {3, 2, 2}, {3, 2, 2}},
           {"Chain(x -> permutedims(x, (2, 1, 3)), Dense(4 => 2))", {4, 5}, {4, 5}},
           {"Chain(x -> reshape(x, 2, 2, 3, :), Conv((1, 1), 3 => 1))", {3, 2, 2}, {3, 2, 2}}}) {
    EXPECT_EQ(input_of(test.text, {.input = test.data}), test.input) << test.text;
  }
}

TEST(ChainInput, IsTheTextsWhereThatTellsIt) {
  EXPECT_EQ(input_of("Chain(flatten, Dense(12 => 3))"), (Shape{12}));
  EXPECT_EQ(input_of("Chain(flatten, Dense(12 => 3))", {.input = Shape{5, 5}}), (Shape{12}));
  EXPECT_EQ(input_of("Chain(x -> reshape(x, 2, 2, 3, :), Conv((1, 1), 3 => 1))"), (Shape{12}));
  EXPECT_EQ(input_of("Chain(x -> reshape(x, 2, 2, 3, :), Conv((1, 1), 3 => 1))", {.input = Shape{12}}),
            (Shape{12}));
  EXPECT_EQ(input_of("Chain(LayerNorm(8), Scale(8), Dense(8 => 2))"), (Shape{8}));
  EXPECT_EQ(input_of("Bilinear(3 => 2)"), (Shape{3}));
  // As many entries: reshaped, as ever. Rows of that many: one row after the other.
  EXPECT_EQ(input_of("Dense(12 => 2)", {.input = Shape{3, 4}}), (Shape{12}));
  EXPECT_EQ(input_of("Dense(4 => 2)", {.input = Shape{3, 4}}), (Shape{3, 4}));
  EXPECT_EQ(input_of("Dense(64 => 2)", {.input = Shape{1, 1, 64}}), (Shape{64}));
}

TEST(ChainInput, IsTheOneThatIsAskedFor) {
  EXPECT_EQ(input_of("Conv((3, 3), 1 => 2)", {.shape = Shape{1, 28, 28}}), (Shape{1, 28, 28}));
  EXPECT_EQ(input_of("Conv((3, 3), 1 => 2)", {.input = Shape{784}, .shape = Shape{1, 28, 28}}),
            (Shape{1, 28, 28}));
  EXPECT_EQ(input_of("Dense(4 => 2)", {.input = Shape{12}, .shape = Shape{3, 4}}), (Shape{3, 4}));
  EXPECT_EQ(input_of("relu", {.shape = Shape{2}}), (Shape{2}));
}

struct Refusal {
  const char* text;
  ChainOptions options;
  const char* where;
  const char* message;
};

TEST(ChainInput, IsAskedForByTheLayerThatNeedsIt) {
  for (const Refusal& test : std::initializer_list<Refusal>{
           {"Chain(relu, Conv((3, 3), 3 => 2))",
            {},
            "chain:1:13",
            "layer 1 (Conv) does not tell the whole shape of the input, and no data do; expected images (3, "
            "height, width). Give data, or the shape of one sample, as in --input-shape 3,32,32"},
           {"MaxPool((2,))", {}, "chain:1:1", "expected images (channels, length)"},
           {"GlobalMeanPool()", {}, "chain:1:1", "layer 0 (GlobalMeanPool) does not tell"},
           {"Chain(a = Chain(Embedding(9 => 4)))", {}, "chain:1:17", "layer a.0 (Embedding) does not tell"},
           {"Embedding(9 => 4)", {}, "chain:1:1", "expected tokens (length,)"},
           {"MultiHeadAttention(8)", {}, "chain:1:1", "expected sequences (length, 8)"},
           {"Chain(BatchNorm(3), flatten)", {}, "chain:1:1", "no layer tells the shape of the input"},
           {"Chain(x -> mean(x; dims = 2), flatten)", {}, "chain:1:7", "layer 0 (mean) does not tell"},
           {"Chain(relu, Conv((3, 3), 1 => 2))",
            {.input = Shape{784}},
            "chain:1:13",
            "layer 1 (Conv) cannot take the samples of the data as they are; got samples of shape (784,), "
            "expected images (1, height, width). Say what shape they are to have, as in --input-shape "
            "1,32,32"},
           {"Conv((3, 3), 3 => 2)", {.input = Shape{28, 28}}, "chain:1:1", "samples of shape (28, 28)"},
           {"GlobalMeanPool()", {.input = Shape{28}}, "chain:1:1", "samples of shape (28,)"},
           {"relu",
            {.shape = Shape{2, 0}},
            "chain:1:1",
            "this shape cannot be the input of the chain; got (2, 0)"},
           {"Conv((3, 3), 3 => 2)",
            {.input = Shape{1, 8, 8}},
            "chain:1:1",
            "layer 0 (Conv) takes images (3, height, width), the input gives (1, 8, 8)"}}) {
    const Error error = test::error_of([&] { load_chain(test.text, test.options); });
    EXPECT_EQ(error.kind(), ErrorKind::input) << test.text;
    EXPECT_EQ(error.complaint().where, test.where) << test.text;
    EXPECT_NE(std::string(error.what()).find(test.message), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tangra::load
