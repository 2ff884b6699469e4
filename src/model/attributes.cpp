#include "tangra/model/attributes.h"

#include "tangra/base/error.h"

namespace tangra {
namespace {

template <class Wanted>
Wanted get(const std::map<std::string, Attribute, std::less<>>& entries, std::string_view name, Wanted otherwise,
           const char* type) {
  const auto found = entries.find(name);
  if (found == entries.end()) return otherwise;
  if (const auto* value = std::get_if<Wanted>(&found->second)) return *value;
  throw Error(ErrorKind::input, {.what = "an attribute has another type than it must have",
                                 .where = std::string(name), .got = {}, .expected = type, .cure = {}});
}

}  // namespace

Index Attributes::integer(std::string_view name, Index otherwise) const {
  return get(entries_, name, otherwise, "an integer");
}
double Attributes::real(std::string_view name, double otherwise) const {
  return get(entries_, name, otherwise, "a real number");
}
std::string Attributes::text(std::string_view name, std::string otherwise) const {
  return get(entries_, name, std::move(otherwise), "a text");
}
std::vector<Index> Attributes::integers(std::string_view name, std::vector<Index> otherwise) const {
  return get(entries_, name, std::move(otherwise), "a list of integers");
}
std::vector<double> Attributes::reals(std::string_view name, std::vector<double> otherwise) const {
  return get(entries_, name, std::move(otherwise), "a list of real numbers");
}

}  // namespace tangra
