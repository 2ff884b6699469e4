// Of what a run was, on what it ran, and what it took.
#include "runs.h"

namespace tangra::report {
namespace {

std::string data_of(const Object& fields, const std::string& pointer) {
  if (text(fields, pointer + "/name").empty()) return {};
  return text(fields, pointer + "/name") + ": " + shown_count(number(fields, pointer + "/samples")) +
         " samples of " + shown_shape(fields, pointer + "/shape") + "; " +
         text(fields, pointer + "/description");
}

std::string selection(const Object& fields) {
  const Object& model = field(fields, "/requested/model");
  std::string result;
  const auto add = [&result](const std::string& word) { result += (result.empty() ? "" : ", ") + word; };
  if (!model.is_object()) return result;
  if (!text(model, "/weights").empty())
    add("from " + text(model, "/weights"));
  else if (!text(model, "/init").empty())
    add(text(model, "/init"));
  if (text(model, "/weights").empty() && number(model, "/seed"))
    add("seed " + shown_count(number(model, "/seed")));
  if (!text(model, "/parameterization").empty()) add(text(model, "/parameterization") + " parameterisation");
  return result;
}

}  // namespace

std::string network_of(const Object& fields) {
  std::string chain = text(fields, "/model/text");
  if (chain.empty()) chain = text(fields, "/model/name");
  return chain.empty() ? text(fields, "/source") : chain;
}

void show_origin(Section& section, const Object& fields) {
  if (!network_of(fields).empty()) section.code(network_of(fields));
  std::string network;
  if (number(fields, "/model/parameters")) {
    network = shown_shape(fields, "/model/input") + " → " + shown_shape(fields, "/model/output") + ", " +
              shown_count(number(fields, "/model/parameters")) + " parameters";
    if (number(fields, "/model/frozen").value_or(0) > 0)
      network += " trained, " + shown_count(number(fields, "/model/frozen")) + " not";
  }
  std::string reduction = text(fields, "/reduce");
  const bool second_is_test = field(fields, "/train").is_object();
  section.facts({{"network", network},
                 {"weights", selection(fields)},
                 {second_is_test ? "train" : "data", data_of(fields, second_is_test ? "/train" : "/data")},
                 {"columns", data_of(fields, "/data2")},
                 {"test", data_of(fields, "/test")},
                 {"reduction", reduction},
                 {"shape", shown_shape(fields, "/shape")}});
}

void show_costs(Section& section, const Object& fields) {
  // A plan keeps what it took itself apart from what it tells of the run.
  const Object& took = fields.contains("planning") ? fields["planning"] : fields;
  if (!number(took, "/seconds")) return;
  std::string steps;
  for (const Object& step : list(took, "/steps")) {
    if (number(step, "/seconds").value_or(0) > 0)
      steps +=
          (steps.empty() ? "" : ", ") + text(step, "/step") + " " + shown_seconds(number(step, "/seconds"));
  }
  std::string fingerprints = text(fields, "/model_fingerprint");
  for (const Object& each : list(fields, "/data_fingerprints")) {
    if (each.is_string()) fingerprints += ", data " + each.get<std::string>();
  }
  section.begin_details("How it was computed: " + shown_seconds(number(took, "/seconds")) + ", " +
                        text(fields, "/machine"));
  section.facts({{"time", shown_seconds(number(took, "/seconds"))},
                 {"steps", steps},
                 {"memory", shown_bytes(number(took, "/peak_bytes")) + " at most, of a budget of " +
                                shown_bytes(number(fields, "/memory_budget"))},
                 {"machine", text(fields, "/machine")},
                 {"threads", shown_count(number(fields, "/threads")) + ", " + text(fields, "/simd_target")},
                 {"precision", text(fields, "/precision")},
                 {"method", text(fields, "/method")},
                 {"fingerprints", fingerprints.empty() ? "" : "network " + fingerprints},
                 {"written", text(fields, "/out")},
                 {"version", "tangra " + text(fields, "/version")}});
  section.end_details();
}

std::string headline(const ReadRun& read) {
  const Object& fields = read.fields;
  const std::string& command = read.run->command;
  if (command == "spectrum") return text(fields, "/statement");
  if (command == "kernel" && read.run->spectrum) return read.run->spectrum->spectrum.statement;
  if (command == "kernel") return "trace " + shown(number(fields, "/statistics/trace"), 6);
  if (command == "predict") {
    if (number(fields, "/accuracy")) return shown_percent(number(fields, "/accuracy")) + " test accuracy";
    return number(fields, "/leave_one_out")
               ? "leave-one-out error " + shown(number(fields, "/leave_one_out"), 4)
               : "";
  }
  if (command == "infinite" && number(fields, "/slope/slope"))
    return "slope " + shown(number(fields, "/slope/slope"), 3) + " with width";
  if (command == "infinite" && number(fields, "/comparison/distance"))
    return "finite network " + shown_percent(number(fields, "/comparison/distance")) + " off";
  if (command == "linearise") return "kernel moved by " + shown_percent(number(fields, "/kernel_distance"));
  if (command == "verify") return flag(fields, "/agree") ? "all methods agree" : "methods differ";
  if (command == "plan") return shown_seconds(number(fields, "/expected_seconds/total")) + " expected";
  if (command == "summary") return shown_count(number(fields, "/model/parameters")) + " parameters";
  if (command == "train" && field(fields, "/epochs").is_array() && !field(fields, "/epochs").empty()) {
    const Object& last = field(fields, "/epochs").back();
    const auto test = number(last, "/test/accuracy");
    return flag(fields, "/diverged") ? "diverged"
                                     : shown_percent(test ? test : number(last, "/train/accuracy")) +
                                           (test ? " test accuracy" : " training accuracy");
  }
  return {};
}

}  // namespace tangra::report
