#include "tangra/load/chain/parameterization.h"

#include <cmath>
#include <set>

#include "tangra/load/chain/parser.h"

namespace tangra::load {
namespace {

constexpr const char* forms = "standard, ntk or ntk(sigma_w, sigma_b)";

/// The number that argument `place` gives to a sigma, whose keyword is `name`.
void read_sigma(const Source& source, const Argument& argument, double& sigma, bool zero_allowed) {
  const double value = argument.value.real;
  if (argument.value.kind != Expression::Kind::number || !std::isfinite(value) || value < 0 ||
      (value == 0 && !zero_allowed)) {
    refuse(source, argument.value.at,
           {.what = "this cannot be a scale",
            .where = {},
            .got = excerpt(source, argument.value.at),
            .expected = zero_allowed ? "a number of 0 or more" : "a number above 0",
            .cure = {}});
  }
  sigma = value;
}

Parameterization read_ntk(const Source& source, const Expression& call) {
  Parameterization result{.kind = Parameterization::Kind::ntk};
  std::set<std::string> seen;
  for (std::size_t place = 0; place < call.arguments.size(); ++place) {
    const Argument& argument = call.arguments[place];
    const std::string name = argument.keyword.empty() ? (place == 0   ? "sigma_w"
                                                         : place == 1 ? "sigma_b"
                                                                      : "")
                                                      : argument.keyword;
    if ((name != "sigma_w" && name != "sigma_b") || !seen.insert(name).second) {
      const Extent at = argument.keyword.empty() ? argument.value.at : argument.keyword_at;
      refuse(source, at,
             {.what = "ntk takes sigma_w and sigma_b, each once",
              .where = {},
              .got = excerpt(source, at),
              .expected = forms,
              .cure = {}});
    }
    if (name == "sigma_w")
      read_sigma(source, argument, result.sigma_w, false);
    else
      read_sigma(source, argument, result.sigma_b, true);
  }
  return result;
}

}  // namespace

Parameterization parse_parameterization(std::string_view text, const std::string& where) {
  const Source source{.text = text, .name = where, .kind = ErrorKind::usage};
  const Expression expression = parse(source);
  const bool call = expression.kind == Expression::Kind::call;
  if (expression.name == "ntk" && (call || expression.kind == Expression::Kind::name)) {
    return read_ntk(source, expression);
  }
  if (expression.name == "standard" && expression.kind == Expression::Kind::name) return {};
  refuse(source, expression.at,
         {.what = "there is no such parameterisation",
          .where = {},
          .got = excerpt(source, expression.at),
          .expected = forms,
          .cure = {}});
}

}  // namespace tangra::load
