#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "runs.h"
#include "running.h"
#include "tangra/formats/atomic_file.h"
#include "tangra/report/html.h"

namespace tangra::python {
namespace {

/// The page, its contents as JSON, and as a table.
nb::tuple report_page(const std::vector<std::string>& sources, const std::string& out, bool overwrite, const std::string& labels_file,
                      const std::string& data_dir, std::size_t memory, int threads, const nb::object& progress) {
  run::ReportSpec spec;
  spec.sources = sources;
  spec.out = out;
  spec.existing = overwrite ? run::ExistingFile::replace : run::ExistingFile::refuse;
  spec.labels_file = labels_file;
  spec.data_dir = data_dir;
  spec.resources = resources(memory, threads);
  std::string page;
  const run::ReportResult result = watched(progress, [&](const run::Caller& caller) {
    run::ReportResult made = run::run_report(spec, caller);
    page = report::html(made);
    if (!spec.out.empty()) {
      formats::AtomicFile file(spec.out);
      file.append(std::string_view(page));
      file.commit();
    }
    return made;
  });
  return nb::make_tuple(page, report::json(result), report::terminal(result, {}));
}

}  // namespace

void bind_report(nb::module_& module) {
  module.def("report", &report_page, nb::arg("sources"), nb::kw_only(), nb::arg("out"), nb::arg("overwrite"), nb::arg("labels_file"),
             nb::arg("data_dir"), nb::arg("memory"), nb::arg("threads"), nb::arg("progress").none());
}

}  // namespace tangra::python
