// Whole kernels in memory, and K v without K, on the cases of bench/peers:
//
//   bench_kernel CASE [--n N] [--repeats R] [--threads T] [--vectors B]
//
// One line: case, method, shape, first call, best of the repeats, peak memory. With --vectors K v for B vectors is timed.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <stdexcept>

#include "networks.h"
#include "tangra/differentiate/network_factors.h"
#include "tangra/kernel/assembly.h"
#include "tangra/kernel/kernel_operator.h"
#include "tangra/kernel/reduction.h"

namespace tangra::bench {
namespace {

struct Options {
  std::string name;
  Index samples = 2000;
  int repeats = 5;
  int threads = 0;
  Index vectors = 0;
};

/// A network with its reduction, ready to make factors.
struct Setting {
  Setting(const Case& work, const Context& context)
      : program(work.graph, context),
        lowered(kernel::lower(kernel::parse_reduction(work.reduce), work.graph->shape(work.graph->outputs.front()))) {
    const ValueId of = work.graph->outputs.front();
    const auto basis = differentiate::Basis::sums(work.graph->shape(of).elements(), lowered.members);
    rows.emplace(program, work.rows, of, basis, context);
    if (work.columns.size() > 0) {
      columns.emplace(program, work.columns, of, basis, context);
      both.emplace(program, work.rows, work.columns, of, basis, context);
    }
    for (const Parameter& own : work.graph->parameters) sizes.push_back(own.data.size());
  }
  differentiate::Program<float> program;
  kernel::LoweredReduction lowered;
  std::optional<differentiate::NetworkFactors<float>> rows, columns;
  std::optional<differentiate::FactorsOfBoth<float>> both;
  std::vector<Index> sizes;
};

Shape compute_kernel(const Case& work, const Setting& setting, const Context& context) {
  const kernel::Assembly<float> assembly{.rows = &*setting.rows, .columns = setting.columns ? &*setting.columns : nullptr,
                                         .both = setting.both ? setting.both->get() : nullptr,
                                         .layout = setting.lowered.layout,
                                         .parts = kernel::divide(*work.graph, kernel::PartsBy::total),
                                         .sizes = setting.sizes, .divisor = setting.lowered.divisor};
  const Index n1 = work.rows.shape()[0];
  const Index n2 = setting.columns ? work.columns.shape()[0] : n1;
  const Index full = setting.lowered.layout.full;
  kernel::MemoryStore<float> store(1, setting.lowered.kernel_shape(n1, n2), n1 * full, n2 * full);
  kernel::assemble(assembly, store, context);
  return setting.lowered.kernel_shape(n1, n2);
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void race(const Options& options, const std::string& method, const std::function<Shape()>& work) {
  Shape shape;
  const double first = seconds_of([&] { shape = work(); });
  double best = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < options.repeats; ++repeat) best = std::min(best, seconds_of([&] { work(); }));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%-16s %-28s %-20s first %8.3f s  best %8.4f s  peak %5.1f GiB\n", options.name.c_str(), method.c_str(),
              to_string(shape).c_str(), first, best, static_cast<double>(usage.ru_maxrss) / (1 << 20));
}

void run(const Options& options) {
  ThreadPool pool(options.threads);
  MemoryLedger memory;
  const Context context{.pool = pool, .memory = memory};
  const Case work = make_case(options.name, options.samples);
  const Setting setting(work, context);  // the network is loaded, as the peers' is compiled
  if (options.vectors == 0) return race(options, "tangra", [&] { return compute_kernel(work, setting, context); });
  Tensor<double> x(Shape{options.samples, options.vectors});
  for (Index e = 0; e < x.size(); ++e) x[e] = static_cast<double>(e % 17) - 8;
  Tensor<double> y(x.shape());
  const auto applied = [&](const kernel::KernelOperator<float>& matrix_free) {
    matrix_free.apply(matrix(x.data(), options.samples, options.vectors), matrix(y.data(), options.samples, options.vectors), context);
    return y.shape();
  };
  const kernel::OperatorSpec<float> spec{.rows = &*setting.rows, .columns = nullptr, .layout = setting.lowered.layout,
                                         .plane = 0, .sizes = setting.sizes, .divisor = setting.lowered.divisor};
  race(options, "tangra K v, factors made", [&] { return applied(kernel::KernelOperator<float>(spec, context)); });
  const kernel::KernelOperator<float> kept(spec, context);
  race(options, "tangra K v, factors kept", [&] { return applied(kept); });
}

Options parse(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0) throw std::invalid_argument("bench_kernel CASE [--n N] [--repeats R] [--threads T] [--vectors B]");
  Options options{.name = argv[1]};
  for (int k = 2; k < argc; k += 2) {
    const std::string option = argv[k];
    const Index number = std::stoll(argv[k + 1]);
    if (option == "--n") options.samples = number;
    else if (option == "--repeats") options.repeats = static_cast<int>(number);
    else if (option == "--threads") options.threads = static_cast<int>(number);
    else if (option == "--vectors") options.vectors = number;
    else throw std::invalid_argument("there is no option " + option);
  }
  return options;
}

}  // namespace
}  // namespace tangra::bench

int main(int argc, char** argv) try {
  tangra::bench::run(tangra::bench::parse(argc, argv));
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return EXIT_FAILURE;
}
