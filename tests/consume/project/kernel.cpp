// The kernel of a small network on the pictures that are built in, by the library alone.
#include <cmath>
#include <cstdio>

#include "tangra/base/error.h"
#include "tangra/run/run.h"

int main() {
  try {
    tangra::run::KernelSpec spec;
    spec.model.text = "Chain(Dense(64 => 5, tanh), Dense(5 => 10))";
    spec.data.source = "digits";
    spec.data.n = 20;
    spec.reduce = "trace";
    spec.resources.threads = 1;
    const tangra::run::KernelResult result = tangra::run::run_kernel(spec);
    std::printf("%zu lines of plan, trace %.6g\n", result.plan.size(), result.statistics.trace);
    const bool sound = result.arrays.size() == 1 && std::isfinite(result.statistics.trace) && result.statistics.trace > 0;
    return sound ? 0 : 1;
  } catch (const tangra::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
