#pragma once
// What the bindings of all runs share: from arguments to a specification, and from a result to Python.
#include <nanobind/nanobind.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "arrays.h"
#include "model.h"
#include "tangra/base/error.h"
#include "tangra/report/json.h"
#include "tangra/report/terminal.h"
#include "tangra/run/run.h"
#include "watch.h"

namespace tangra::python {

using OptionalArray = std::optional<Given>;

/// The value with this name. Throws Error(usage) that lists the names.
template <class T>
T choose(const std::string& text, const char* argument, std::initializer_list<std::pair<const char*, T>> choices) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (text == name) return value;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw Error(ErrorKind::usage, {.what = "there is no such choice", .where = argument, .got = text,
                                 .expected = "one of " + names, .cure = {}});
}

/// The samples as they lie in Python's memory.
data::DataSpec data_of(const Given& x, const char* name);
/// With labels, where there are some.
data::DataSpec data_of(const Given& x, const char* name, const OptionalArray& labels, const char* labels_name);
/// "auto", "float32" or "float64".
run::Precision precision_of(const std::string& text);
/// Python holds other things, too: a budget is for what a run takes itself.
run::Resources resources(std::size_t memory, int threads);
/// Kernel, plan, spectrum and operator start from this.
run::KernelSpec kernel_spec(const Model& model, const Given& x, const OptionalArray& x2, const std::string& reduce,
                            const OptionalArray& basis, const std::string& precision, std::size_t memory, int threads);

/// run(caller) under watch().
template <class Run>
auto watched(nb::handle progress, const Run& run) {
  std::atomic<bool> cancelled{false};
  decltype(run(run::Caller{})) result;
  watch(progress, cancelled, [&](const run::Caller& caller) { result = run(caller); });
  return result;
}

nb::dict to_dict(const std::vector<run::NamedArray>& arrays);

/// The arrays by name, and the description as `--json` gives it.
template <class Result>
nb::tuple arrays_and_json(const Result& result) {
  return nb::make_tuple(to_dict(result.arrays), report::json(result));
}

/// The description and, as the program prints it, the table.
template <class Result>
nb::tuple json_and_table(const Result& result) {
  return nb::make_tuple(report::json(result), report::terminal(result, {}));
}

/// All three.
template <class Result>
nb::tuple arrays_json_and_table(const std::vector<run::NamedArray>& arrays, const Result& result) {
  return nb::make_tuple(to_dict(arrays), report::json(result), report::terminal(result, {}));
}

}  // namespace tangra::python
