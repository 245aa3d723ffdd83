// The files and folders of a job. Internal.
#pragma once

#include <string>

#include "rsd/core/result.h"

namespace rsd {

// The name of a request file in reports: without folder and ending; "stdin" for "-".
std::string dataset_name(const std::string& path);

// Makes the folder, before the work, so that a folder that can't be written is found early.
// kRuntime.
Result<void> make_result_folder(const std::string& folder);

}  // namespace rsd
