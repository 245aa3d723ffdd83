// Where this program finds the project's own models.
#pragma once

#include "rsd/models/default_model.h"

namespace rsd::cli {

// The library's defaults, but relative to the program: an installation may be moved. Logs into the
// program's log.
ModelPlaces model_places();

}  // namespace rsd::cli
