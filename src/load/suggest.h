#pragma once
// Not for other rooms: what a user may have meant.
#include <span>
#include <string>
#include <string_view>

namespace tangra::load {

/// "Did you mean X?" for the known name that is closest to `name` by edit distance (letters' case counts
/// half), or an empty text where none is close. At most a third of the name may differ, but one or two
/// letters always may.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);

}  // namespace tangra::load
