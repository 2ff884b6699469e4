#include "tangra/data/catalogue.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "formats/files.h"
#include "support/support.h"
#include "tangra/data/data_set.h"

namespace tangra::data {
namespace {

/// Sets an environment variable for as long as it lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* old = getenv(name); old != nullptr) before_ = old;
    setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (before_)
      setenv(name_, before_->c_str(), 1);
    else
      unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// An MNIST-like training part of two 28x28 pictures; the first pixel says which it is.
void write_pictures(const std::filesystem::path& folder, char mark) {
  std::filesystem::create_directories(folder);
  std::string images = test::from_hex("00000803 00000002 0000001c 0000001c") + std::string(2 * 784, '\0');
  images[16] = mark;
  test::write_bytes(folder / "train-images-idx3-ubyte.gz", test::gzipped(images));
  test::write_bytes(folder / "train-labels-idx1-ubyte", test::from_hex("00000801 00000002 0307"));
}

double first_pixel(const std::string& name, const std::string& data_dir) {
  return load({.source = name, .data_dir = data_dir, .scale = 1.0}).inputs.as<double>()[0];
}

TEST(Catalogue, ListsFourSets) {
  const std::vector<DataSetInfo> sets = list();
  ASSERT_EQ(sets.size(), 4U);
  for (const DataSetInfo& set : sets) {
    EXPECT_EQ(set.classes.size(), 10U);
    EXPECT_EQ(set.training.rank(), 4);
    EXPECT_FALSE(set.licence.empty() || set.how_to_get.empty() || set.title.empty());
    EXPECT_EQ(info(set.name).training, set.training);
  }
  EXPECT_EQ(info("digits").found, "built in");
  const Error error = test::error_of([] { info("minst"); });
  EXPECT_NE(error.complaint().expected.find("fashion-mnist"), std::string::npos);
}

TEST(Places, AreLookedAtInOrder) {
  const test::TemporaryFolder folder;
  write_pictures(folder / "given/mnist", 1);
  write_pictures(folder / "first", 2);
  write_pictures(folder / "second/MNIST/raw", 3);
  write_pictures(folder / "home/.cache/tangra/mnist", 4);
  const Environment home("HOME", folder / "home");
  {
    const Environment places("TANGRA_DATA", (folder / "none").string() + "::" + (folder / "first").string() +
                                                ":" + (folder / "second").string());
    EXPECT_EQ(first_pixel("mnist", folder / "given"), 1);
    EXPECT_EQ(first_pixel("mnist", folder / "given/mnist"), 1);
    EXPECT_EQ(first_pixel("mnist", ""), 2);
    EXPECT_EQ(info("mnist").found, (folder / "first").string());
  }
  const Environment places("TANGRA_DATA", folder / "second");
  EXPECT_EQ(first_pixel("mnist", ""), 3);
  EXPECT_EQ(first_pixel("mnist:train", ""), 3);
  EXPECT_EQ(load({.source = "mnist"}).labels, (std::vector<Index>{3, 7}));
  const Environment none("TANGRA_DATA", "");
  EXPECT_EQ(first_pixel("mnist", ""), 4);
}

TEST(Places, DoNotTakeOneSetForTheOther) {
  const test::TemporaryFolder folder;
  write_pictures(folder / "fashion-mnist", 5);
  const Environment home("HOME", folder / "home");
  const Environment places("TANGRA_DATA", "");
  EXPECT_EQ(first_pixel("fashion-mnist", folder / "fashion-mnist"), 5);
  EXPECT_EQ(first_pixel("fashion-mnist", (folder / "fashion-mnist").string() + "/"), 5);
  for (const std::string& given :
       {(folder / "fashion-mnist").string(), (folder / "fashion-mnist").string() + "/"}) {
    EXPECT_EQ(test::error_of([&] { load({.source = "mnist", .data_dir = given}); }).kind(), ErrorKind::input);
  }
}

TEST(Places, AreNamedWhereNothingIsFound) {
  const test::TemporaryFolder folder;
  const Environment home("HOME", folder / "home");
  const Environment places("TANGRA_DATA", folder / "elsewhere");
  for (const char* name : {"mnist", "mnist:test", "cifar10", "cifar10:test"}) {
    const Error error = test::error_of([&] { load({.source = name, .data_dir = folder / "given"}); });
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_EQ(error.complaint().what, "the data set is not on this machine");
    for (const char* place : {"given", "elsewhere", "home/.cache/tangra"}) {
      EXPECT_NE(error.complaint().expected.find((folder / place).string()), std::string::npos)
          << error.what();
    }
    EXPECT_NE(error.complaint().expected.find("/usr/share/datasets"), std::string::npos);
  }
  EXPECT_NE(info("fashion-mnist").how_to_get.find("apt install dataset-fashion-mnist"), std::string::npos);
  EXPECT_EQ(info("cifar10", folder / "given").found, std::nullopt);
}

TEST(Names, AreChecked) {
  EXPECT_NE(
      std::string(test::error_of([] { load({.source = "mnist:validation"}); }).what()).find("train or test"),
      std::string::npos);
  const Error error = test::error_of([] { load({.source = "minst"}); });
  EXPECT_EQ(error.complaint().what, "the file is not there");
  EXPECT_NE(error.complaint().expected.find("fashion-mnist"), std::string::npos);
  EXPECT_EQ(test::error_of([] { load({}); }).kind(), ErrorKind::usage);
}

}  // namespace
}  // namespace tangra::data
