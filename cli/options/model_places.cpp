#include "options/model_places.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "terminal/log.h"

namespace rsd::cli {

ModelPlaces model_places() {
  ModelPlaces places{.log = log_sink()};
  if (const char* named = std::getenv("RSD_MODELS_DIR"); named && *named) return places;
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  const auto installed = (program.parent_path() / RSD_INSTALLED_MODELS).lexically_normal();
  places.models_folders = {RSD_SOURCE_MODELS};  // none in what is shipped
  places.models_folders.insert(places.models_folders.begin(), installed.string());
  return places;
}

}  // namespace rsd::cli
