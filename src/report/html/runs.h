#pragma once
// Not for other rooms: one section of the page for each run, by command.
#include "fields.h"
#include "tangra/run/report_data.h"

namespace tangra::report {

/// A run with its fields read.
struct ReadRun {
  const run::ReportRun* run = nullptr;
  Object fields;
};

/// Fills the section. others: all runs of the page, among which may be the plan of a kernel.
void show_kernel(Section& section, const ReadRun& run, const std::vector<ReadRun>& others);
void show_plan(Section& section, const ReadRun& run);
/// fields: those of a spectrum, of a run of its own or computed for the kernel of another.
void show_spectrum(Section& section, const Object& fields);
void show_predict(Section& section, const ReadRun& run);
void show_infinite(Section& section, const ReadRun& run);
void show_train(Section& section, const ReadRun& run);
void show_linearise(Section& section, const ReadRun& run);
void show_verify(Section& section, const ReadRun& run);
void show_summary(Section& section, const ReadRun& run);
void show_arrays(Section& section, const ReadRun& run);

/// What is common to all: network, data, and how it was computed.
void show_origin(Section& section, const Object& fields);
void show_costs(Section& section, const Object& fields);

/// In a few words: what a run is of, and what came out.
std::string headline(const ReadRun& run);
std::string network_of(const Object& fields);

}  // namespace tangra::report
