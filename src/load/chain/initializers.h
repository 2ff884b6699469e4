#pragma once
#include <span>
#include <string_view>

#include "tangra/base/array.h"

namespace tangra::load {

/// The distributions that the parameters of a chain are drawn from; docs/chain.md has the table.
enum class Initializer { ones, glorot_uniform, normal, lecun, he, pytorch };

/// As the command line and `init = ` name them.
std::span<const std::string_view> initializer_names();
std::string_view name_of(Initializer initializer);
/// Throws Error(usage), naming `where`, for an unknown name.
Initializer initializer_of(std::string_view name, std::string_view where);

/// What one weight or bias is drawn for.
struct Draw {
  Initializer initializer = Initializer::glorot_uniform;
  Shape shape = {};
  bool bias = false;
  Index fan_in = 1;
  Index fan_out = 1;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< the parameter's running number in the graph
};

/// Draws in double, rounds to float32. Entry i in row-major order comes from entry i of the stream, so a
/// parameter does not depend on the sizes of the others.
Array draw(const Draw& what);

}  // namespace tangra::load
