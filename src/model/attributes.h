#pragma once
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tangra/base/index.h"

namespace tangra {

using Attribute = std::variant<Index, double, std::string, std::vector<Index>, std::vector<double>>;

/// The named settings of a node.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, Attribute>> entries) : entries_(entries) {}

  void set(std::string name, Attribute value) { entries_[std::move(name)] = std::move(value); }
  bool has(std::string_view name) const { return entries_.find(name) != entries_.end(); }
  /// The value under `name`, or `otherwise` where there is none. Throws Error(input) where it has another type.
  Index integer(std::string_view name, Index otherwise) const;
  double real(std::string_view name, double otherwise) const;
  std::string text(std::string_view name, std::string otherwise) const;
  std::vector<Index> integers(std::string_view name, std::vector<Index> otherwise) const;
  std::vector<double> reals(std::string_view name, std::vector<double> otherwise) const;

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::map<std::string, Attribute, std::less<>> entries_;
};

}  // namespace tangra
