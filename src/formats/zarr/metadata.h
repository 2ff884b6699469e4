#pragma once
// Not for other rooms: zarr.json as text.
#include <string>

#include "tangra/formats/zarr/zarr.h"

namespace tangra::formats {

/// `where` is the file, for messages. Both throw Error(input).
ZarrHeader parse_zarr_array(const std::string& text, const std::string& where);
ZarrNode parse_zarr_node(const std::string& text, const std::string& where);

std::string zarr_array_text(const ZarrHeader& header);
std::string zarr_group_text(const ZarrAttributes& attributes);

}  // namespace tangra::formats
