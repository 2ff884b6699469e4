#include <gtest/gtest.h>

#include "support/support.h"
#include "tangra/load/chain/chain.h"
#include "tangra/load/chain/source.h"

namespace tangra::load {
namespace {

Error error_in(const std::string& text, const ChainOptions& options = {}) {
  return test::error_of([&] { load_chain(text, options); });
}

struct Case {
  const char* text;
  const char* where;    ///< line:column
  const char* message;  ///< a part of the message
};

void expect(ErrorKind kind, const Case& test) {
  const Error error = error_in(test.text);
  EXPECT_EQ(error.kind(), kind) << test.text;
  EXPECT_EQ(error.complaint().where, std::string("chain:") + test.where) << test.text << "\n" << error.what();
  EXPECT_NE(std::string(error.what()).find(test.message), std::string::npos) << test.text << "\n"
                                                                             << error.what();
}

TEST(ChainErrors, MalformedTexts) {
  for (const Case& test : std::initializer_list<Case>{
           {"", "1:1", "the text is empty"},
           {"# nothing\n", "2:1", "the text is empty"},
           {"Chain(Dense(2 => 3)", "1:6", "the parenthesis is never closed"},
           {"Chain(Dense(2 => 3, relu)\n", "1:6", "expected ) at the end of Chain("},
           {"Chain(Dense(2 => 3) relu)", "1:21", "a comma or a parenthesis is missing; got relu"},
           {"Chain(Dense(2 3))", "1:15", "a comma or a parenthesis is missing; got 3"},
           {"Chain(Dense(2 => 3),, relu)", "1:21", "something is missing here; got ,"},
           {"Chain(,)", "1:7", "something is missing here"},
           {"Chain(Dense(2 => 3)) relu", "1:22", "the text goes on behind its end; got relu"},
           {"Chain(Dense(2 => 3)))", "1:21", "the text goes on behind its end; got )"},
           {"Chain(Dense(2 => ))", "1:18", "something is missing here; got )"},
           {"Chain(Dense(2 =>", "1:17", "got the end of the text"},
           {"Chain(relu.)", "1:12", "a name ends with a dot"},
           {"Chain(relu, 3 * )", "1:17", "a number is missing"},
           {"Chain[relu]", "1:6", "this character has no meaning here; got ["},
           {"Chain(#= relu)", "1:7", "the comment is never closed"},
           {"Chain(Dense(2x => 3))", "1:13", "this is not a number; got 2x"},
           {"Chain(Dense(1__0 => 3))", "1:13", "this is not a number"},
           {"Chain(leakyrelu(1e999))", "1:17", "beyond what can be stored"},
           {"Chain(Dense(99999999999999999999 => 3))", "1:13", "beyond what can be stored"},
           {"Chain(Dense(10^30 => 3))", "1:13", "not a whole number that can be stored"},
           {"Chain(Dense(9999999999 * 9999999999 => 3))", "1:13", "beyond what can be stored"},
           {"Chain(Dense(2 => 3; relu))", "1:21", "behind a semicolon every argument has a name"},
           {"Chain(\n  Dense(2 => 3),\n  σ, relu tanh)", "3:11", "a comma or a parenthesis is missing"}}) {
    expect(ErrorKind::input, test);
  }
}

TEST(ChainErrors, WhatNoLayerSays) {
  for (const Case& test : std::initializer_list<Case>{
           {"Chain()", "1:1", "Chain holds no layer"},
           {"Chain(Dense(2 => 3), Chain())", "1:22", "Chain holds no layer"},
           {"Chain(Denze(2 => 3))", "1:7", "there is no such layer; got Denze. Did you mean Dense?"},
           {"chain(Dense(2 => 3))", "1:1", "Did you mean Chain?"},
           {"Chain(DENSE(2 => 3))", "1:7", "Did you mean Dense?"},
           {"Chain(Dense(2 => 3, sigmod))", "1:21",
            "there is no such function; got sigmod. Did you mean sigmoid?"},
           {"Chain(Dense(2 => 3), sofmax)", "1:22", "Did you mean softmax?"},
           {"Chain(SkipConection(relu, +))", "1:7", "Did you mean SkipConnection?"},
           {"Chain(Xyzzyplugh(2 => 3))", "1:7", "Known are identity, relu"},
           {"Chain(Dense)", "1:7", "a layer has no arguments"},
           {"Chain(Dense(2 => 3), 7)", "1:22", "this is not a layer; got 7"},
           {"Chain(Dense(2 => 3), +)", "1:22", "this is not a layer"},
           {"Chain(Dense(2 => 3), Chain)", "1:22", "a layer has no arguments"},
           {"Chain(Dense())", "1:7", "Dense needs to know its widths"},
           {"Chain(Dense(2))", "1:7", "Dense needs to know its widths"},
           {"Chain(Dense(2 => 3, relu, relu))", "1:27", "Dense has too many arguments"},
           {"Chain(Dense(2, 3, relu, true))", "1:25", "Dense has too many arguments"},
           {"Chain(Dense(2 => 3, Dense))", "1:21", "a layer cannot stand here"},
           {"Chain(Dense(2 => 3, 4))", "1:21", "this is not a function; got 4"},
           {"Chain(Dense(2 => 3, softmax))", "1:21", "an activation acts on each entry alone"},
           {"Chain(Dense(2 => 3; bais=false))", "1:21",
            "Dense has no such argument; got bais, expected bias or init. Did you mean bias?"},
           {"Chain(Dense(2 => 3; bias=0))", "1:26", "expected true or false"},
           {"Chain(Dense(2 => 3; bias=true, bias=false))", "1:32", "an argument is given twice"},
           {"Chain(Dense(2 => 3; init=glorot))", "1:26", "there is no such initialiser; got glorot"},
           {"Chain(relu(2))", "1:7", "relu takes no number"},
           {"Chain(relu())", "1:7", "a function is named alone or with one number"},
           {"Chain(leakyrelu(x))", "1:17", "this is not a number; got x"},
           {"Chain(x -> relu(y))", "1:7", "of functions in this form only one call is supported"},
           {"Chain(x -> x)", "1:7", "of functions in this form only one call is supported"},
           {"Chain(SkipConnection(relu))", "1:7", "SkipConnection takes a layer and the function"},
           {"Chain(SkipConnection(relu, relu))", "1:28",
            "this cannot join branches; got relu, expected +, .+, *, .*, vcat, hcat, cat or Bilinear(...)"},
           {"Chain(Parallel())", "1:7", "Parallel starts with the function that joins"},
           {"Chain(Parallel(+))", "1:7", "Parallel holds no layer"},
           {"Chain(Parallel(relu, tanh))", "1:16", "this cannot join branches"},
           {"Chain(a = relu, a = tanh)", "1:17", "two layers have the same name"},
           {"Chain(a.b = relu)", "1:7", "the name of a layer has no dots"},
           {"Chain(input = Dense(2 => 3))", "1:7", "the name is taken by the input of the network"},
           {"Chain(output = Dense(2 => 3))", "1:7", "the name is taken by the output of the network"},
           {"Chain(parameters = Dense(2 => 3))", "1:7", "the name is taken: it means all parameters"},
           {"Chain(relu, total = Dense(2 => 3))", "1:13",
            "the name is taken: it means all parts of a kernel"}}) {
    expect(ErrorKind::input, test);
  }
}

TEST(ChainErrors, InnerLayersMayHaveAnyName) {
  EXPECT_EQ(
      load_chain("Chain(a = Chain(input = relu, output = relu, parameters = relu, total = Dense(2 => 1)))")
          .parameters.front()
          .name,
      "a.total.weight");
}

TEST(ChainErrors, WidthsThatCannotBe) {
  for (const Case& test : std::initializer_list<Case>{
           {"Chain(Dense(60 => 50),\n      Dense(60 => 10))", "2:7",
            "layer 1 (Dense) takes 60 features, layer 0 gives (50,)"},
           {"Chain(Dense(4 => 3), relu, a = Chain(Dense(4 => 2)))", "1:38",
            "layer a.0 (Dense) takes 4 features, layer 1 gives (3,)"},
           {"Chain(SkipConnection(relu, vcat), Dense(7 => 2))", "1:35",
            "layer 1 (Dense) takes 7 features, layer 0 gives (6,)"},
           {"Chain(Parallel(+, Dense(3 => 2), Dense(4 => 2)))", "1:34",
            "layer 0.1 (Dense) takes 4 features, the input gives (3,)"},
           {"Chain(Dense(2 => 3), SkipConnection(Dense(3 => 4), +))", "1:22",
            "(4,) from layer 1.0 and (3,) from its input (layer 0)"},
           {"Chain(Dense(2 => 3), SkipConnection(Dense(3 => 1), *))", "1:22",
            "the branches of layer 1 have different shapes"},
           {"Chain(Parallel(+, Dense(3 => 2), Dense(3 => 1)))", "1:7",
            "(2,) from layer 0.0 and (1,) from layer 0.1"},
           {"Chain(Dense(0 => 3))", "1:13", "a width is at least 1; got 0"},
           {"Chain(Dense(3 => -2))", "1:18", "a width is at least 1; got -2"},
           {"Chain(Dense(3.0 => 2))", "1:13", "a width is a whole number; got 3.0"},
           {"Chain(Dense(relu => 2))", "1:13", "a width is a whole number; got relu"},
           {"Chain(Dense(65536 => 32769))", "1:7", "at most 2^31 weights in one layer"},
           {"Chain(Dense(1 => 9000000000000000000))", "1:7", "at most 2^31 weights in one layer"},
           {"Chain(Dense(9000000000000000000, 9000000000000000000))", "1:7",
            "at most 2^31 weights in one layer"},
           {"Chain(relu, softmax)", "1:1", "no layer tells the shape of the input, and no data do"}}) {
    expect(ErrorKind::input, test);
  }
}

TEST(ChainErrors, LayersOfFluxThatAreNotSupported) {
  expect(ErrorKind::unsupported,
         {"Chain(LSTM(2 => 3), Dense(2 => 3))", "1:7", "this layer is not supported; got LSTM"});
  expect(ErrorKind::unsupported, {"Chain(Dense(2 => 3), Flux.Upsample(2))", "1:22", "got Upsample"});
  expect(ErrorKind::unsupported, {"Chain(Maxout)", "1:7", "got Maxout"});
}

TEST(ChainErrors, FeaturesThatDoubleWithoutEnd) {
  std::string text = "Chain(relu";
  for (int k = 0; k < 90; ++k) text += ", SkipConnection(relu, vcat)";
  EXPECT_NE(std::string(error_in(text + ")", {.input = Shape{3}}).what()).find("more than 2^31 features"),
            std::string::npos);
  EXPECT_EQ(error_in(text + ", Dense(2 => 3))").kind(), ErrorKind::input);
}

std::string nested(int depth) {
  std::string text;
  for (int k = 0; k < depth; ++k) text += "Chain(";
  return text + "Dense(2 => 2)" + std::string(static_cast<std::size_t>(depth), ')');
}

TEST(ChainErrors, NestingHasALimit) {
  EXPECT_EQ(load_chain(nested(199)).parameters.size(), 2U);
  for (const int depth : {201, 100000}) {
    const Error error = error_in(nested(depth));
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_NE(std::string(error.what()).find("nested too deep"), std::string::npos);
  }
  std::string tuples = "Chain";
  std::string lambdas;
  for (int k = 0; k < 100000; ++k) {
    tuples += '(';
    lambdas += "x->";
  }
  EXPECT_EQ(error_in(tuples).kind(), ErrorKind::input);
  EXPECT_EQ(error_in(lambdas).kind(), ErrorKind::input);
}

TEST(ChainErrors, TheDataCannotBeAnInput) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, -1}, Shape{Index{1} << 40, Index{1} << 40}}) {
    EXPECT_EQ(error_in("Chain(relu)", {.input = shape}).kind(), ErrorKind::input) << to_string(shape);
  }
}

TEST(ChainErrors, UnknownInitialiserIsAWrongOption) {
  const Error error = error_in("Chain(Dense(2 => 3))", {.init = "lecum"});
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_EQ(error.complaint().where, "--init");
  EXPECT_EQ(error.complaint().cure, "Did you mean lecun?");
}

TEST(ChainErrors, ShowThePlace) {
  const Error error = error_in("Chain(\n\tDense(2 => 3, σ), rellu)", {.source = "net.txt"});
  EXPECT_EQ(error.complaint().where, "net.txt:2:20");
  EXPECT_EQ(error.complaint().cure,
            "Did you mean relu?\n     Dense(2 => 3, σ), rellu)\n                       ^~~~~");
}

TEST(ChainErrors, ShowOfALongLineTheSurroundings) {
  std::string text = "Chain(";
  for (int k = 0; k < 100; ++k) text += "relu, ";
  text += "rellu, ";
  for (int k = 0; k < 100; ++k) text += "relu, ";
  const std::string cure = error_in(text + ")").complaint().cure;
  EXPECT_LT(cure.size(), 260U);
  const std::size_t line = cure.find('\n');
  const std::size_t mark = cure.find('\n', line + 1);
  EXPECT_EQ(cure.find("rellu") - line, cure.find('^') - mark);
}

TEST(ChainErrors, MessagesAreAlwaysUtf8) {
  for (const std::string bad : {"\xff", "\xc3", "\xed\xa0\x80", "\xe2\x82", "\xc0\x80", "\xf4\x90\x80\x80"}) {
    const std::string message = error_in("Chain(" + bad + ")").what();
    EXPECT_NE(message.find("not valid UTF-8; got ?"), std::string::npos) << message;
    for (std::size_t at = 0; at < message.size();) {
      const std::size_t length = utf8_length(message, at);
      ASSERT_GT(length, 0U);
      at += length;
    }
  }
  EXPECT_EQ(utf8_length("\xf0\x9d\x9b\x94", 0), 4U);  // mathematical bold small sigma
  EXPECT_EQ(error_in(std::string("Chain(\0)", 8)).kind(), ErrorKind::input);
}

}  // namespace
}  // namespace tangra::load
