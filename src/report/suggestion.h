#pragma once
// Not for other rooms: commands to try next, and the fields that several tables share.
#include <string_view>
#include <vector>

#include "tangra/report/page/page.h"
#include "tangra/run/result.h"

namespace tangra::report {

using Command = std::vector<CommandWord>;

/// "tangra COMMAND MODEL DATA" with the options that make the same network and samples.
Command command_on(std::string_view command, const load::ModelSpec& model, const data::DataSpec& data);
/// Appends words that are never broken.
Command with(Command command, std::initializer_list<std::string_view> words);

void show_model(Page& page, const run::ModelSummary& model);
void show_data(Page& page, std::string_view label, const run::DataSummary& data);
/// Seconds in all and step by step, peak memory, threads.
void show_costs(Page& page, const run::Provenance& provenance);

}  // namespace tangra::report
