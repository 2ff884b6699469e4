#include "tangra/base/tensor.h"

#include "tangra/base/error.h"

namespace tangra {

void ensure_same_elements(const Shape& a, const Shape& b) { TANGRA_ENSURE(a.elements() == b.elements()); }

}  // namespace tangra
