#include "server/http/socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <exception>
#include <utility>

namespace rsd::server {

Socket::Socket(int descriptor, const TlsIdentity& identity) : descriptor_(descriptor) {
  try {
    tls_.emplace(identity, descriptor);
  } catch (const std::exception&) {
    ::close(descriptor);
    throw;
  }
}

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      tls_(std::move(other.tls_)),
      events_to_receive_(other.events_to_receive_),
      events_to_send_(other.events_to_send_) {}

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

ssize_t Socket::receive(char* into, std::size_t size) noexcept {
  if (!tls_) return ::recv(descriptor_, into, size, MSG_DONTWAIT);
  const ssize_t n = tls_->receive(into, size);
  events_to_receive_ = tls_->wants_to_write() ? POLLOUT : POLLIN;
  return n;
}

ssize_t Socket::send(const char* from, std::size_t size) noexcept {
  if (!tls_) return ::send(descriptor_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  const ssize_t n = tls_->send(from, size);
  const bool wants_to_read = n < 0 && !tls_->wants_to_write();
  events_to_send_ = wants_to_read ? POLLIN : POLLOUT;
  return n;
}

int Socket::release() noexcept {
  if (tls_) tls_->say_goodbye();
  tls_.reset();
  return std::exchange(descriptor_, -1);
}

}  // namespace rsd::server
