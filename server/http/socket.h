// A client's connection, plain or with TLS.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include "server/http/tls.h"

namespace rsd::server {

// Owns the socket. Its calls don't block. For one thread at a time.
class Socket {
 public:
  explicit Socket(int descriptor) noexcept : descriptor_(descriptor) {}
  // Throws std::bad_alloc; the descriptor is closed then.
  Socket(int descriptor, const TlsIdentity& identity);
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&&) = delete;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // As recv(2) and send(2); -1 and errno EAGAIN: wait for the events below.
  ssize_t receive(char* into, std::size_t size) noexcept;
  ssize_t send(const char* from, std::size_t size) noexcept;
  // Events of poll(2) to wait for before the next receive(), or the next send().
  short events_to_receive() const noexcept { return events_to_receive_; }
  short events_to_send() const noexcept { return events_to_send_; }
  // receive() gives bytes at once, whatever poll(2) says.
  bool has_unread() const noexcept { return tls_ && tls_->has_unread(); }
  // False while the TLS handshake goes on.
  bool is_established() const noexcept { return !tls_ || tls_->is_established(); }
  // Why TLS failed, for a log; empty: it didn't.
  std::string fault() const { return tls_ ? tls_->fault() : ""; }

  int descriptor() const noexcept { return descriptor_; }
  // Ends TLS, if the client takes that at once, and gives up the descriptor: the caller owns it.
  int release() noexcept;

 private:
  int descriptor_;  // -1: given up
  std::optional<TlsSession> tls_;
  short events_to_receive_ = POLLIN;
  short events_to_send_ = POLLOUT;
};

}  // namespace rsd::server
