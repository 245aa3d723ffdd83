#include "server/http/acceptor.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "server/http/look_interval.h"

namespace rsd::server {
namespace {

std::string text_of(int error) {
  return std::generic_category().message(error);
}

// The connection failed before it was accepted (accept(2)); the next one may succeed.
bool concerns_one_connection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

bool is_want(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
         error == ENOSR;
}

bool is_none_there(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

Acceptor::Acceptor(AcceptorOptions options) : options_(std::move(options)) {}

Result<void> Acceptor::run(int listening, const std::function<bool()>& stop,
                           const std::function<void(int)>& take) {
  while (!stop()) {
    pollfd waiting{.fd = listening, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, static_cast<int>(kLookInterval.count())) == 0) continue;
    const int connection = options_.accept(listening);
    const int error = errno;
    if (connection >= 0) {
      if (pausing_for_ != 0) say(LogLevel::kInfo, "connections are accepted again");
      pausing_for_ = 0;
      take(connection);
    } else if (is_want(error)) {
      pause_for(error, stop);
    } else if (!concerns_one_connection(error) && !is_none_there(error)) {
      return Error(ErrorCode::kRuntime, "can't accept connections: " + text_of(error));
    }
  }
  return {};
}

// Logs nothing if there is no memory for the message.
void Acceptor::say(LogLevel level, const char* what, int error) const noexcept {
  try {
    if (options_.log) options_.log(level, what + (error == 0 ? "" : text_of(error)));
  } catch (const std::exception&) {
    return;
  }
}

void Acceptor::pause_for(int error, const std::function<bool()>& stop) {
  if (pausing_for_ != error) {
    say(LogLevel::kWarning, "connections have to wait: ", error);
    pause_ = options_.first_pause;
  }
  pausing_for_ = error;
  for (auto left = pause_; left.count() > 0 && !stop(); left -= kLookInterval)
    std::this_thread::sleep_for(std::min(left, kLookInterval));
  pause_ = std::min(2 * pause_, options_.longest_pause);
}

}  // namespace rsd::server
