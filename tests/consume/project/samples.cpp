// The pictures that are built in, by one room of the library.
#include <cstdio>

#include "tangra/base/error.h"
#include "tangra/data/data_set.h"

int main() {
  try {
    const tangra::data::DataSet digits = tangra::data::load({.source = "digits", .n = 20});
    std::printf("%s: %s\n", digits.name.c_str(), digits.description.c_str());
    return digits.inputs.shape()[0] == 20 && digits.labels ? 0 : 1;
  } catch (const tangra::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
