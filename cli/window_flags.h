// The options for lists that are longer than one prompt.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <optional>
#include <string>

#include "rsd/core/result.h"
#include "rsd/window/window_plan.h"

namespace rsd::cli {

struct WindowFlags {
  std::optional<std::size_t> window;  // nullopt: only where a list needs it
  std::optional<std::size_t> stride;
  std::optional<std::size_t> passes;
  std::optional<std::size_t> pool;
  std::optional<std::size_t> advance;
  std::string method = "sliding";
};

void add_window_options(CLI::App& command, WindowFlags& flags);

// Defaults filled in; `top_n` as for the list. kInvalidArgument: as check(), or an option that the
// method has no use for.
Result<WindowOptions> window_options(const WindowFlags& flags, std::optional<std::size_t> top_n);

}  // namespace rsd::cli
