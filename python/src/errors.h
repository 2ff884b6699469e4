#pragma once

namespace tangra::python {

/// From now on a tangra::Error reaches Python as one of its own exceptions.
void translate_errors();

}  // namespace tangra::python
