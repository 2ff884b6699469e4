#include "tangra/verify/verify.h"

#include "tangra/base/error.h"
#include "tangra/run/session.h"

namespace tangra::run {
namespace {

/// Without a selection: enough samples for pairs to differ, few enough for every way to take seconds.
constexpr Index default_samples = 3;

}  // namespace

void VerifySpec::validate() const {
  model.validate();
  kernel::parse_reduction(reduce);
}

VerifyRunResult run_verify(const VerifySpec& spec, const Caller& caller) {
  spec.validate();
  Session session(spec.resources, caller);
  data::DataSpec data = spec.data;
  if (!data.n && !data.samples) data.at_most = default_samples;
  const Loaded loaded = load(spec.model, data);
  session.step("load");
  session.count_loaded();
  if (loaded.graph->parameter_count() == 0) {
    throw Error(ErrorKind::input, {.what = "the network has no parameters to differentiate by", .where = spec.model.text,
                                   .got = {}, .expected = {}, .cure = {}});
  }
  const verify::VerifyOptions options{.structured = spec.precision == Precision::automatic
                                                        ? DType::float64
                                                        : compute_type(spec.precision, *loaded.graph)};
  const verify::Problem problem =
      verify::problem_of(loaded.graph, samples_in<double>(loaded)->clone(), find_value(*loaded.graph, "output", "MODEL"),
                         kernel::parse_reduction(spec.reduce));
  MemoryNeeds needs;
  needs.use(verify::least_memory(problem), "the explicit Jacobian (take fewer samples)");
  session.require(needs);
  VerifyRunResult result;
  result.model = loaded.model;
  result.data = loaded.summary;
  result.reduce = spec.reduce;
  result.result = verify::verify(problem, verify::default_methods(options), options, session.context());
  session.step("verify");
  result.provenance = session.provenance(fingerprint(*loaded.graph), {loaded.data.fingerprint});
  return result;
}

}  // namespace tangra::run
