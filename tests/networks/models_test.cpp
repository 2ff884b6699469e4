// Trained networks from elsewhere: they load, are right on as many of 60 images as with ONNX's own evaluator
// (with its BatchNormalization mended, which trains before opset 14), and every way to their kernel agrees.
#include <gtest/gtest.h>

#include <algorithm>

#include "networks/properties.h"
#include "support/networks.h"
#include "support/support.h"
#include "tangra/data/data_set.h"
#include "tangra/load/model.h"

namespace tangra::test::networks {
namespace {

constexpr Index images = 60;
const std::string mnist = "mnist/t10k-images-idx3-ubyte.gz";
const std::string cifar = "cifar10/test_batch_first1000.bin";

struct Model {
  std::string file;
  Shape input;
  Index parameters;
  std::string data = {};        ///< images and labels; empty: random numbers
  std::string normalize = {};   ///< as data::DataSpec has it
  Index right = 0;              ///< of the 60 images
  Index samples = 1;            ///< with which every way to the kernel is compared ...
  std::string reduce = "full";  ///< ... in this reduction
};

void PrintTo(const Model& model, std::ostream* stream) {
  *stream << model.file;
}

/// (N, C, H, W) as the network's input, which may have the channels last.
Tensor<float> fitted(const data::DataSet& set, const Shape& input) {
  const Shape& given = set.inputs.shape();
  auto samples = set.inputs.converted<float>();
  if (input.rank() == 3 && input[2] == given[1] && given[1] != given[3]) {
    Tensor<float> turned(input.with_leading(given[0]));
    const Index pixels = given[2] * given[3];
    for (Index n = 0; n < given[0]; ++n) {
      for (Index c = 0; c < given[1]; ++c) {
        for (Index p = 0; p < pixels; ++p)
          turned[(n * pixels + p) * given[1] + c] = samples[(n * given[1] + c) * pixels + p];
      }
    }
    return turned;
  }
  samples.reshape(input.with_leading(given[0]));
  return samples;
}

class Models : public testing::TestWithParam<Model> {
 protected:
  static std::filesystem::path data() { return shared_data().value_or("none"); }
  static std::filesystem::path file() { return data() / "models" / GetParam().file; }

  void SetUp() override {
    if (!std::filesystem::exists(file())) GTEST_SKIP() << "the shared models are not there";
    graph = std::make_shared<const Graph>(load::load_model({.text = file().string()}));
  }

  static data::DataSet images_of(Index count) {
    const Model& model = GetParam();
    data::DataSpec spec{.source = (data() / model.data).string(), .n = count};
    if (model.data == mnist) spec.labels_file = (data() / "mnist/t10k-labels-idx1-ubyte.gz").string();
    if (!model.normalize.empty()) spec.normalize = model.normalize;
    return data::load(spec);
  }

  static Tensor<float> samples_of(Index count) {
    const Model& model = GetParam();
    if (!model.data.empty()) return fitted(images_of(count), model.input);
    const Tensor<double> drawn = random_tensor(model.input.with_leading(count), 8, -1, 1);
    Tensor<float> samples(drawn.shape());
    std::ranges::copy(drawn, samples.begin());
    return samples;
  }

  SharedGraph graph;
};

TEST_P(Models, AreRightAsOftenAsElsewhere) {
  const Model& model = GetParam();
  EXPECT_EQ(graph->shape(graph->inputs[0]), model.input);
  EXPECT_EQ(graph->parameter_count(), model.parameters);
  if (model.data.empty()) {
    EXPECT_EQ(outputs_of(graph, samples_of(2)).shape()[0], 2);
    return;
  }
  const data::DataSet set = images_of(images);
  const Tensor<float> scores = outputs_of(graph, fitted(set, model.input));
  Index right = 0;
  for (Index n = 0; n < images; ++n) {
    const float* first = scores.data() + n * 10;
    right +=
        std::max_element(first, first + 10) - first == set.labels->at(static_cast<std::size_t>(n)) ? 1 : 0;
  }
  EXPECT_EQ(right, model.right);
}

TEST_P(Models, EveryWayToTheKernelAgrees) {
  const Tensor<float> samples = samples_of(GetParam().samples);
  Tensor<double> exact(samples.shape());
  std::ranges::copy(samples, exact.begin());
  expect_every_way_agrees(graph, exact, GetParam().reduce);
}

TEST_P(Models, ASampleAloneHasTheBitsItHasInABatchInTheSameOrders) {
  expect_samples_alone(graph, samples_of(3), GetParam().reduce, {});
}

TEST_P(Models, ASampleAloneIsNearInOrdersOfItsOwn) {
  expect_samples_near(graph, samples_of(3), GetParam().reduce);
}

TEST_P(Models, ThreadsLeaveNoTrace) {
  expect_no_trace_of_threads(graph, samples_of(3), GetParam().reduce);
}

INSTANTIATE_TEST_SUITE_P(
    Shared, Models,
    testing::Values(
        Model{"mnist-8.onnx", {1, 28, 28}, 5994, mnist, {}, 60, 2},
        Model{"mnist-net_256x2.onnx", {784, 1}, 269322, mnist, {}, 60},
        Model{"ffnnSIGMOID__Point_6x200.onnx", {1, 28, 28}, 360010, mnist, {}, 59},
        Model{"Convnet_avgpool.onnx", {1, 28, 28}, 11690, mnist, {}, 59, 2},
        Model{"Convnet_maxpool.onnx", {1, 28, 28}, 11690, mnist, {}, 59, 2},
        Model{"tarilabs_mnist.onnx", {28, 28}, 347146, mnist, {}, 60},
        Model{"wuhan_mnist-lg.onnx", {28, 28, 1}, 1026, mnist, {}, 54, 2},
        Model{"resnet_2b.onnx", {3, 32, 32}, 112006, cifar, "0.485,0.456,0.406:0.225,0.225,0.225", 45},
        Model{"cifar_base_kw.onnx", {3, 32, 32}, 105966, cifar, "0.485,0.456,0.406:0.225,0.225,0.225", 42},
        Model{"cifar10_small.onnx", {32, 32, 3}, 85218, cifar, {}, 37},
        Model{"vit_2023_onnx_ibp_3_3_8.onnx",
              {3, 32, 32},
              67594,
              cifar,
              "0.4914,0.4822,0.4465:0.2023,0.1994,0.2010",
              42},
        Model{"HAR-CNN.onnx", {9, 128}, 13848, {}, {}, 0, 2},
        Model{"KWS-DNN_S.onnx", {25, 10}, 79644, {}, {}, 0, 2},
        Model{"cgan_2023_onnx_cGAN_imgSz32_nCh_1.onnx", {5}, 528386},
        Model{"yolo_2023_onnx_TinyYOLO.onnx", {3, 52, 52}, 92093, {}, {}, 0, 1, "sum"}));

}  // namespace
}  // namespace tangra::test::networks
