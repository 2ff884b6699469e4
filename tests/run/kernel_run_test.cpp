#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <optional>
#include <set>

#include "support/networks.h"
#include "support/support.h"
#include "tangra/formats/npy.h"
#include "tangra/formats/npz.h"
#include "tangra/run/run.h"

namespace tangra::run {
namespace {

constexpr const char* network = "Chain(Dense(64 => 7, tanh), Dense(7 => 3), softmax)";

KernelSpec spec_of(const std::string& reduce, Index n = 5) {
  KernelSpec spec;
  spec.model.text = network;
  spec.data.source = "digits";
  spec.data.n = n;
  spec.reduce = reduce;
  spec.precision = Precision::float64;
  return spec;
}

Tensor<double> part_of(const KernelResult& result, const std::string& name = "total") {
  for (const NamedArray& one : result.arrays) {
    if (one.name == name) return one.array.converted<double>();
  }
  ADD_FAILURE() << "no part " << name;
  return {};
}

void expect_near(const Tensor<double>& a, const Tensor<double>& b, double relative) {
  ASSERT_EQ(a.shape(), b.shape());
  double largest = 0;
  for (const double entry : b) largest = std::max(largest, std::abs(entry));
  for (Index e = 0; e < a.size(); ++e) ASSERT_NEAR(a[e], b[e], relative * largest) << e;
}

TEST(RunKernel, MethodsAgree) {
  for (const char* reduce : {"full", "trace", "mean", "diagonal", "sum", "output=1"}) {
    SCOPED_TRACE(reduce);
    KernelSpec spec = spec_of(reduce);
    spec.by = By::parameter;
    const KernelResult structured = run_kernel(spec);
    for (const Method method : {Method::jacobian, Method::product}) {
      spec.method = method;
      const KernelResult other = run_kernel(spec);
      EXPECT_NE(other.method, structured.method);
      for (std::size_t part = 0; part < structured.arrays.size(); ++part) {
        // The softmax makes parts of the sum kernel zero in truth: those are compared by the scale of the trace.
        if (std::string(reduce) == "sum") continue;
        expect_near(other.arrays[part].array.converted<double>(), structured.arrays[part].array.converted<double>(), 1e-12);
      }
    }
  }
}

TEST(RunKernel, SaysWhatItDid) {
  const KernelResult result = run_kernel(spec_of("full"));
  EXPECT_EQ(result.shape, (Shape{5, 3, 5, 3}));
  EXPECT_EQ(result.axes, (std::vector<std::string>{"samples", "outputs", "samples2", "outputs2"}));
  EXPECT_EQ(result.reduce, "full");
  EXPECT_EQ(result.precision, "float64");
  EXPECT_FALSE(result.measured_error.has_value());
  EXPECT_EQ(result.model.parameters, 65 * 7 + 8 * 3);
  EXPECT_EQ(result.plan.size(), 2U);
  EXPECT_NE(result.provenance.model_fingerprint, 0U);
  const Tensor<double> k = part_of(result);
  double trace = 0;
  for (Index i = 0; i < 15; ++i) trace += k[i * 15 + i];
  EXPECT_DOUBLE_EQ(result.statistics.trace, trace);
  EXPECT_EQ(result.statistics.corner[0][1], k[1]);
}

TEST(RunKernel, NamesTheReductionsWhereNoneIsGiven) {
  KernelSpec spec = spec_of("");
  const Error error = test::error_of([&] { run_kernel(spec); });
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_NE(std::string(error.what()).find("diagonal"), std::string::npos);
  spec.model.text = "Chain(Dense(64 => 1))";
  EXPECT_EQ(run_kernel(spec).shape, (Shape{5, 5}));
}

TEST(RunKernel, ShapesOfEveryReduction) {
  const auto shape = [](const std::string& reduce, bool self, bool second) {
    KernelSpec spec = spec_of(reduce);
    if (self) spec.pairs = Pairs::self;
    if (second) {
      spec.data2 = spec.data;
      spec.data2->n = 4;
    }
    return run_kernel(spec).shape;
  };
  EXPECT_EQ(shape("full", false, true), (Shape{5, 3, 4, 3}));
  EXPECT_EQ(shape("diagonal", false, true), (Shape{3, 5, 4}));
  EXPECT_EQ(shape("trace", false, true), (Shape{5, 4}));
  EXPECT_EQ(shape("full", true, false), (Shape{5, 3, 3}));
  EXPECT_EQ(shape("diagonal", true, false), (Shape{5, 3}));
  EXPECT_EQ(shape("output=0", true, false), (Shape{5}));
}

TEST(RunKernel, PairsSelfAreTheDiagonal) {
  KernelSpec spec = spec_of("trace");
  spec.by = By::layer;
  const KernelResult all = run_kernel(spec);
  spec.pairs = Pairs::self;
  const KernelResult self = run_kernel(spec);
  ASSERT_EQ(self.parts, all.parts);
  for (const std::string& part : all.parts) {
    const Tensor<double> k = part_of(all, part);
    const Tensor<double> diagonal = part_of(self, part);
    for (Index i = 0; i < 5; ++i) EXPECT_NEAR(diagonal[i], k[i * 5 + i], 1e-14 * k[i * 5 + i]);
  }
}

TEST(RunKernel, ABasisTakesThePlaceOfTheOutputs) {
  const test::TemporaryFolder folder;
  // Rows: output 2, and output 0 minus output 1.
  Tensor<double> basis(Shape{2, 3});
  basis[2] = 1;
  basis[3] = 1;
  basis[4] = -1;
  formats::write_npy(folder / "C.npy", Array(basis));
  const Tensor<double> full = part_of(run_kernel(spec_of("full")));
  KernelSpec spec = spec_of("full");
  spec.basis = (folder / "C.npy").string();
  const KernelResult result = run_kernel(spec);
  ASSERT_EQ(result.shape, (Shape{5, 2, 5, 2}));
  const Tensor<double> k = part_of(result);
  for (Index i = 0; i < 5; ++i) {
    for (Index j = 0; j < 5; ++j) {
      for (Index r = 0; r < 2; ++r) {
        for (Index s = 0; s < 2; ++s) {
          double sum = 0;
          for (Index a = 0; a < 3; ++a) {
            for (Index b = 0; b < 3; ++b) sum += basis[r * 3 + a] * full[((i * 3 + a) * 5 + j) * 3 + b] * basis[s * 3 + b];
          }
          EXPECT_NEAR(k[((i * 2 + r) * 5 + j) * 2 + s], sum, 1e-14);
        }
      }
    }
  }
  // One matrix a sample, all equal, gives the same.
  Tensor<double> each(Shape{5, 2, 3});
  for (Index e = 0; e < 30; ++e) each[e] = basis[e % 6];
  formats::write_npy(folder / "each.npy", Array(each));
  spec.basis = (folder / "each.npy").string();
  expect_near(part_of(run_kernel(spec)), k, 0);
  Tensor<double> wrong(Shape{2, 4});
  formats::write_npy(folder / "wrong.npy", Array(wrong));
  spec.basis = (folder / "wrong.npy").string();
  EXPECT_EQ(test::error_of([&] { run_kernel(spec); }).kind(), ErrorKind::input);
}

TEST(RunKernel, ConjugateKernelIsTheGramMatrixOfActivations) {
  KernelSpec spec = spec_of("");
  spec.conjugate = "0";
  const Tensor<double> k = part_of(run_kernel(spec));
  JacobianSpec hidden;
  hidden.model = spec.model;
  hidden.data = spec.data;
  hidden.wrt = {"input"};
  hidden.of = "0";
  hidden.precision = Precision::float64;
  const Tensor<double> h = run_jacobian(hidden).arrays.front().array.converted<double>();
  ASSERT_EQ(h.shape(), (Shape{5, 7}));
  for (Index i = 0; i < 5; ++i) {
    for (Index j = 0; j < 5; ++j) {
      double sum = 0;
      for (Index e = 0; e < 7; ++e) sum += h[i * 7 + e] * h[j * 7 + e];
      EXPECT_NEAR(k[i * 5 + j], sum, 1e-14);
    }
  }
}

TEST(RunKernel, FrozenParametersDoNotCount) {
  KernelSpec spec = spec_of("trace");
  spec.by = By::parameter;
  const KernelResult all = run_kernel(spec);
  spec.by = By::total;
  spec.model.params = "^1\\.";
  const KernelResult last = run_kernel(spec);
  Tensor<double> expected = part_of(all, "1.weight");
  const Tensor<double> bias = part_of(all, "1.bias");
  for (Index e = 0; e < expected.size(); ++e) expected[e] += bias[e];
  expect_near(part_of(last), expected, 1e-14);
  spec.model.params.clear();
  spec.model.buffers = "^0\\.";
  expect_near(part_of(run_kernel(spec)), expected, 1e-14);
}

TEST(RunKernel, WritesWhatItHoldsInMemory) {
  const test::TemporaryFolder folder;
  KernelSpec spec = spec_of("full");
  const Tensor<double> k = part_of(run_kernel(spec));
  spec.out = (folder / "K.npy").string();
  run_kernel(spec);
  const Array read = formats::read_npy(spec.out);
  EXPECT_EQ(read.shape(), (Shape{5, 3, 5, 3}));
  EXPECT_EQ(std::memcmp(read.data(), k.data(), k.bytes()), 0);
  EXPECT_EQ(test::error_of([&] { run_kernel(spec); }).kind(), ErrorKind::usage);  // it exists
  spec.out = (folder / "K.npz").string();
  spec.by = By::layer;
  run_kernel(spec);
  EXPECT_EQ(formats::npz_keys(spec.out), (std::vector<std::string>{"0", "1", "total"}));
}

TEST(RunKernel, MeasuresTheErrorOfFloat32) {
  KernelSpec spec = spec_of("trace", 40);
  spec.precision = Precision::automatic;
  const KernelResult result = run_kernel(spec);
  EXPECT_EQ(result.precision, "float32");
  ASSERT_TRUE(result.measured_error.has_value());
  EXPECT_LT(result.measured_error->largest_relative, 1e-5);
  EXPECT_GT(result.measured_error->largest_relative, 0);
}

TEST(RunKernel, EveryKindMeasuresTheErrorOfFloat32) {
  struct Kind {
    const char* name;
    std::function<void(KernelSpec&)> ask;
  };
  const Kind kinds[] = {{"products", [](KernelSpec& spec) { spec.method = Method::product; }},
                        {"products by layer", [](KernelSpec& spec) { spec.method = Method::product, spec.by = By::layer; }},
                        {"conjugate", [](KernelSpec& spec) { spec.reduce.clear(), spec.conjugate = "0"; }},
                        {"parameters", [](KernelSpec& spec) { spec.space = Space::parameters; }},
                        {"self", [](KernelSpec& spec) { spec.pairs = Pairs::self; }},
                        {"all pairs", [](KernelSpec&) {}}};
  for (const Kind& kind : kinds) {
    for (const bool two_sets : {false, true}) {
      SCOPED_TRACE(std::string(kind.name) + (two_sets ? ", two sets" : ""));
      KernelSpec spec = spec_of("full", 40);
      spec.precision = Precision::float32;
      kind.ask(spec);
      if (two_sets && (spec.space == Space::parameters || spec.pairs == Pairs::self)) continue;
      if (two_sets) spec.data2 = data::DataSpec{.source = "digits", .n = 7};
      const KernelResult result = run_kernel(spec);
      EXPECT_EQ(result.not_measured, "");
      ASSERT_TRUE(result.measured_error.has_value());
      EXPECT_LT(result.measured_error->largest_relative, 1e-5);
      EXPECT_GT(result.measured_error->largest_relative, 0);
      EXPECT_EQ(result.measured_error->samples.size(), 4U);
      EXPECT_EQ(result.measured_error->samples2.size(), two_sets ? 4U : 0U);
    }
  }
}

/// It is measured before the work, on fewer samples where memory is short, and does not make a run fail.
TEST(RunKernel, MeasuresWithinTheMemoryOrSaysWhatItNeeds) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer holds more memory than the program";
#endif
  KernelSpec spec = spec_of("trace", 16);
  spec.model.text = "Chain(Conv((3, 3), 1 => 16, relu), Conv((3, 3), 16 => 16, relu), GlobalMeanPool(), flatten, Dense(16 => 10))";
  spec.data.source = "x";
  spec.data.array = Array(test::random_tensor({16, 1, 40, 40}, 3));
  spec.data.n.reset();
  spec.precision = Precision::float32;
  spec.pairs = Pairs::self;
  std::set<std::size_t> counts;  // of samples; 0 where it was not measured
  for (const int threads : {1, 2}) {
    spec.resources.threads = threads;
    for (std::size_t memory = 4'000'000; memory < 200'000'000; memory += memory / 12) {
      spec.resources.memory = memory;
      std::optional<KernelResult> result;
      try {
        result = run_kernel(spec);
      } catch (const Error& error) {
        ASSERT_EQ(error.kind(), ErrorKind::memory);
        continue;
      }
      counts.insert(result->measured_error ? result->measured_error->samples.size() : 0);
      if (result->measured_error) {
        EXPECT_LT(result->measured_error->largest_relative, 1e-5);
        EXPECT_EQ(result->not_measured, "");
      } else {
        EXPECT_EQ(result->not_measured.find("needs a memory budget of at least "), 0U) << result->not_measured;
      }
    }
  }
  // What the rest of the process holds counts too, so which budget is too small for 4 is not fixed.
  EXPECT_TRUE(counts.contains(4) && *counts.begin() < 4) << ::testing::PrintToString(counts);
}

TEST(RunKernel, RefusesWhatContradictsItself) {
  const auto kind = [](const auto& change) {
    KernelSpec spec = spec_of("trace");
    change(spec);
    return test::error_of([&] { run_kernel(spec); }).kind();
  };
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.space = Space::parameters; }), ErrorKind::usage);
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.reduce = "median"; }), ErrorKind::usage);
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.reduce = "output=3"; }), ErrorKind::usage);
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.reduce = "output=-1"; }), ErrorKind::usage);
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.out = "K.txt"; }), ErrorKind::usage);
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.conjugate = "nothing"; }), ErrorKind::usage);
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.model.text = "Chain(Dense(65 => 2))"; }), ErrorKind::input);
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.resources.memory = 1000; }), ErrorKind::memory);
  EXPECT_EQ(kind([](KernelSpec& spec) { spec.out = "no/such/folder/K.npy"; }), ErrorKind::input);
}

TEST(RunKernel, ProductsAreExactlySymmetricToo) {
  for (const char* reduce : {"full", "diagonal", "trace"}) {
    KernelSpec spec = spec_of(reduce);
    spec.method = Method::product;
    spec.precision = Precision::float32;
    const KernelResult result = run_kernel(spec);
    const auto k = result.arrays.front().array.as<float>();
    const Index side = result.shape.back() * (std::string(reduce) == "full" ? 5 : 1);
    const Index planes = result.arrays.front().array.size() / (side * side);
    for (Index plane = 0; plane < planes; ++plane) {
      for (Index i = 0; i < side; ++i) {
        for (Index j = 0; j < side; ++j) {
          EXPECT_EQ(k[static_cast<std::size_t>((plane * side + i) * side + j)], k[static_cast<std::size_t>((plane * side + j) * side + i)]);
        }
      }
    }
  }
}

TEST(RunKernel, OutputsOutsideADomainAreAnError) {
  KernelSpec spec = spec_of("");
  spec.model.text = "Chain(Dense(64 => 1, log))";
  for (const Method method : {Method::automatic, Method::product}) {
    spec.method = method;
    const Error error = test::error_of([&] { run_kernel(spec); });
    EXPECT_EQ(error.kind(), ErrorKind::numerics);
    EXPECT_NE(std::string(error.what()).find("sample"), std::string::npos);
  }
}

TEST(RunKernel, PairsSelfHaveFigures) {
  KernelSpec spec = spec_of("full");
  const KernelResult all = run_kernel(spec);
  spec.pairs = Pairs::self;
  const KernelResult self = run_kernel(spec);
  EXPECT_NEAR(self.statistics.trace, all.statistics.trace, 1e-13 * all.statistics.trace);
  EXPECT_NEAR(self.statistics.smallest_diagonal, all.statistics.smallest_diagonal, 1e-13 * all.statistics.trace);
  EXPECT_NEAR(self.statistics.largest_diagonal, all.statistics.largest_diagonal, 1e-13 * all.statistics.trace);
}

TEST(RunKernel, StopsWhenAsked) {
  const std::atomic<bool> cancelled{true};
  EXPECT_EQ(test::error_of([&] { run_kernel(spec_of("trace"), {.progress = nullptr, .cancelled = &cancelled}); }).kind(),
            ErrorKind::interrupted);
}

}  // namespace
}  // namespace tangra::run
