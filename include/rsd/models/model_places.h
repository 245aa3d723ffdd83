// Where the default model, its parts and the project's agent are looked for.
#pragma once

#include <string>
#include <vector>

#include "rsd/core/log.h"

namespace rsd {

// Where files are looked for, and where log lines go. An empty field stands for its default.
struct ModelPlaces {
  // The folder of what is fetched and made; absolute. Default: ${XDG_CACHE_HOME:-~/.cache}/rsd,
  // where relative values of these variables are ignored.
  std::string cache_folder;
  // The folders of the project's own adapter and agent, best first; rsd's example requests are in
  // the folder examples/ beside the one with the adapter. Default: the folder that RSD_MODELS_DIR
  // names; without it, share/rsd/models below the prefix that this library was built for, then the
  // source that it was built from. A program that was moved, or brings its own copy, names its
  // folder here.
  std::vector<std::string> models_folders;
  LogSink log;
};

}  // namespace rsd
