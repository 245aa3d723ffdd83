// How often the threads that wait for sockets look whether the server is to end.
#pragma once

#include <chrono>

namespace rsd::server {

inline constexpr std::chrono::milliseconds kLookInterval{50};

}  // namespace rsd::server
