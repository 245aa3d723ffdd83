#include "server/http/wake_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace rsd::server {

WakePipe::WakePipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) == 0) {
    reader_ = ends[0];
    writer_ = ends[1];
  }
}

WakePipe::~WakePipe() {
  if (reader_ >= 0) ::close(reader_);
  if (writer_ >= 0) ::close(writer_);
}

void WakePipe::wake() const noexcept {
  const char byte = 0;
  while (::write(writer_, &byte, 1) < 0 && errno == EINTR) {  // if it is full, it is awake
  }
}

void WakePipe::clear() const noexcept {
  std::array<char, 64> bytes{};
  while (::read(reader_, bytes.data(), bytes.size()) > 0) {
  }
}

}  // namespace rsd::server
