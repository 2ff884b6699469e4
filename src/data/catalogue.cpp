#include "tangra/data/catalogue.h"

#include "places.h"
#include "tangra/formats/refuse.h"

namespace tangra::data {
namespace {

const std::vector<std::string> ten_digits = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

/// The entries without what depends on the machine.
const std::vector<DataSetInfo>& entries() {
  static const std::vector<DataSetInfo> all = {
      {.name = "digits",
       .title = "handwritten digits, 8x8, 17 grey levels (Alpaydin and Kaynak; UCI, test part)",
       .training = Shape{1797, 1, 8, 8},
       .test = std::nullopt,
       .classes = ten_digits,
       .licence = "CC BY 4.0",
       .how_to_get = "It is built in",
       .found = "built in"},
      {.name = "mnist",
       .title = "handwritten digits, 28x28, 256 grey levels (LeCun, Cortes and Burges)",
       .training = Shape{60000, 1, 28, 28},
       .test = Shape{10000, 1, 28, 28},
       .classes = ten_digits,
       .licence = "none stated by its authors; often given as CC BY-SA 3.0",
       .how_to_get =
           "Put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
           "t10k-labels-idx1-ubyte.gz from https://ossci-datasets.s3.amazonaws.com/mnist/ into one of these "
           "folders",
       .found = std::nullopt},
      {.name = "fashion-mnist",
       .title = "articles of clothing, 28x28, 256 grey levels (Xiao, Rasul and Vollgraf)",
       .training = Shape{60000, 1, 28, 28},
       .test = Shape{10000, 1, 28, 28},
       .classes = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                   "Ankle boot"},
       .licence = "MIT",
       .how_to_get = "On Debian and Ubuntu: apt install dataset-fashion-mnist",
       .found = std::nullopt},
      {.name = "cifar10",
       .title = "photographs of ten kinds of things, 32x32, three colours (Krizhevsky, Nair and Hinton)",
       .training = Shape{50000, 3, 32, 32},
       .test = Shape{10000, 3, 32, 32},
       .classes = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
       .licence = "none stated; cite Krizhevsky, Learning multiple layers of features from tiny images, 2009",
       .how_to_get =
           "Unpack https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz into one of these folders",
       .found = std::nullopt}};
  return all;
}

DataSetInfo located(DataSetInfo entry, const std::string& data_dir) {
  for (const bool test : {false, true}) {
    if (entry.found) break;
    const auto place = place_with(entry.name, data_dir, telling_files(entry.name, test));
    if (place) entry.found = place->string();
  }
  return entry;
}

}  // namespace

std::vector<DataSetInfo> list(const std::string& data_dir) {
  std::vector<DataSetInfo> result;
  for (const DataSetInfo& entry : entries()) result.push_back(located(entry, data_dir));
  return result;
}

DataSetInfo info(std::string_view name, const std::string& data_dir) {
  std::string names;
  for (const DataSetInfo& entry : entries()) {
    if (entry.name == name) return located(entry, data_dir);
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  formats::refuse(std::string(name), "there is no data set of this name", {}, names);
}

}  // namespace tangra::data
