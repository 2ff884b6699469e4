#include <gtest/gtest.h>

#include <array>

#include "support/support.h"
#include "tangra/data/data_set.h"

namespace tangra::data {
namespace {

std::array<int, 10> class_counts(const DataSet& set) {
  std::array<int, 10> counts{};
  for (const Index label : set.labels.value()) ++counts.at(static_cast<std::size_t>(label));
  return counts;
}

class RealFiles : public testing::Test {
 protected:
  void SetUp() override {
    const auto folder = test::shared_data();
    if (!folder) GTEST_SKIP() << "no folder with real data: set TANGRA_TEST_DATA";
    folder_ = folder->string();
  }
  bool has(const std::string& name) const { return std::filesystem::exists(folder_ + "/" + name); }
  std::string folder_;
};

TEST_F(RealFiles, Mnist) {
  if (!has("mnist/t10k-images-idx3-ubyte.gz")) GTEST_SKIP() << "mnist/t10k-images-idx3-ubyte.gz is not there";
  const DataSet set = load({.source = "mnist:test", .data_dir = folder_});
  EXPECT_EQ(set.inputs.shape(), (Shape{10000, 1, 28, 28}));
  EXPECT_EQ(class_counts(set), (std::array<int, 10>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}));
  const DataSet some =
      load({.source = "mnist", .data_dir = folder_, .samples = std::pair<Index, Index>{100, 110}});
  EXPECT_EQ(some.total, 60000);
  const DataSet first = load({.source = "mnist", .data_dir = folder_ + "/mnist", .n = 10});
  EXPECT_EQ(first.labels, (std::vector<Index>{5, 0, 4, 1, 9, 2, 1, 3, 1, 4}));
}

TEST_F(RealFiles, Cifar10) {
  if (!has("cifar10/data_batch_1.bin")) GTEST_SKIP() << "cifar10/data_batch_1.bin is not there";
  const DataSet set = load({.source = "cifar10", .data_dir = folder_, .n = 10000});
  EXPECT_EQ(class_counts(set), (std::array<int, 10>{1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981}));
  const DataSet file = load({.source = folder_ + "/cifar10/data_batch_1.bin", .n = 10});
  EXPECT_EQ(file.labels, (std::vector<Index>{6, 9, 9, 4, 1, 1, 2, 7, 8, 3}));
  EXPECT_EQ(file.inputs.as<double>()[0], 59 / 255.0);
}

TEST(DebianFiles, FashionMnist) {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")) {
    GTEST_SKIP() << "Debian's dataset-fashion-mnist is not installed";
  }
  const DataSet set = load({.source = "fashion-mnist:test"});
  EXPECT_EQ(set.inputs.shape(), (Shape{10000, 1, 28, 28}));
  for (const int count : class_counts(set)) EXPECT_EQ(count, 1000);
}

}  // namespace
}  // namespace tangra::data
