// The folders of the default model, of its parts and of the project's agent.
#pragma once

#include <string>
#include <vector>

#include "rsd/core/log.h"

namespace rsd {

// The folders in which files are searched, and the destination of log lines. An empty field has its
// default.
struct ModelPlaces {
  // For files that are fetched or made; an absolute path. Default: ${XDG_CACHE_HOME:-~/.cache}/rsd.
  // Relative values of these variables are ignored.
  std::string cache_folder;
  // For the project's own adapter and agent; the first that has a file is used. rsd's example
  // requests are in the folder examples/ next to that with the adapter. Default: the folder that
  // RSD_MODELS_DIR names; without it, share/rsd/models below the prefix that this library was built
  // for, then the source that it was built from, but what is shipped knows no source. A program
  // that was moved, or brings its own copy, names its folder here.
  std::vector<std::string> models_folders;
  LogSink log;
};

}  // namespace rsd
