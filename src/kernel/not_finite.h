#pragma once
#include <string>

#include "tangra/base/error.h"
#include "tangra/base/shape.h"

namespace tangra::kernel {

/// Throws Error(numerics) for an entry of a kernel.
[[noreturn]] inline void not_finite(Index row, Index column) {
  throw Error(ErrorKind::numerics,
              {.what = "the kernel is not finite", .where = "entry (" + std::to_string(row) + ", " + std::to_string(column) + ")",
               .got = "infinity or NaN", .expected = {},
               .cure = "The network's values overflow on these samples: scale the data (--scale, --normalize) or use "
                       "--precision float64"});
}

}  // namespace tangra::kernel
