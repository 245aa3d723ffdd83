// Python's own tools, such as pip, run so that no stranger's code gets in.
#pragma once

#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

// Runs `python3 -I` with the arguments in `folder`, which is absolute and ours, and waits for it.
// In isolated mode (-I) neither the current folder nor PYTHONPATH nor the user's site-packages are
// searched for modules. Its output goes to our standard error: standard output is for results.
// kMissingDependency when there is no python3, kRuntime when it fails.
Result<void> run_isolated_python(const std::vector<std::string>& arguments,
                                 const std::string& folder);

}  // namespace rsd
