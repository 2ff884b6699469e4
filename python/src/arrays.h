#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "tangra/base/array.h"

namespace tangra::python {

namespace nb = nanobind;

/// Any array in C order on the CPU. The package makes other arguments into such arrays before they come here.
using Given = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

/// A copy of the entries with their type. Throws Error(usage), naming the argument, for a type that files do not have either.
Array from_python(const Given& given, const char* argument);
/// As from_python, but the memory of `given` itself, which lives as long as the array: for what a call only reads.
Array lent_by_python(const Given& given, const char* argument);
/// The same memory as a NumPy array, alive as long as that is.
nb::object to_numpy(const Array& array);
/// As to_numpy, but refusing to be written.
nb::object to_read_only(const Array& array);
nb::tuple to_tuple(const Shape& shape);
Shape to_shape(const nb::sequence& lengths);

}  // namespace tangra::python
