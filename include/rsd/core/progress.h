// How far a long piece of work is.
#pragma once

#include <cstddef>
#include <functional>

namespace rsd {

// Called on the thread that works, before each step and at least once: `done` of `total` steps are
// done. An empty one is not called.
using OnProgress = std::function<void(std::size_t done, std::size_t total)>;

}  // namespace rsd
