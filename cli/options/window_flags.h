// The options for lists that are longer than one prompt.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "rsd/core/result.h"
#include "rsd/window/window_plan.h"

namespace rsd::cli {

struct WindowFlags {
  WindowChoice choice;  // without a method
  std::string method;   // by name; empty: none is named
};

void add_window_options(CLI::App& command, WindowFlags& options);

// kInvalidArgument: no such method.
Result<WindowChoice> window_choice(const WindowFlags& flags);

}  // namespace rsd::cli
