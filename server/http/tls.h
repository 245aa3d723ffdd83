// The server's side of TLS.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>

#include "rsd/core/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace rsd::server {

struct TlsFiles {
  std::string certificate;  // PEM: the server's certificate, then those that lead to its issuer
  std::string key;          // PEM, its private key, without a passphrase
};

// A certificate and its key. Immutable; copies share it, and are safe to use from many threads.
class TlsIdentity {
 public:
  // kNotFound: a file can't be read. kInvalidInput: one of them holds no certificate or no key, or
  // the key is not the certificate's. kRuntime: OpenSSL can't be set up.
  static Result<TlsIdentity> load(const TlsFiles& files);

 private:
  friend class TlsSession;
  explicit TlsIdentity(std::shared_ptr<ssl_ctx_st> context) : context_(std::move(context)) {}

  std::shared_ptr<ssl_ctx_st> context_;
};

// One connection's TLS, version 1.2 or later. The first calls of receive() make the handshake. The
// process has to ignore SIGPIPE, which send() can raise. For one thread at a time.
class TlsSession {
 public:
  // Makes the socket non-blocking; it stays the caller's, and outlives this. Throws std::bad_alloc.
  TlsSession(const TlsIdentity& identity, int socket);

  // As recv(2) and send(2). -1 and errno EAGAIN: wait until the socket is writable if
  // wants_to_write(), else until it is readable. Other failures are final.
  ssize_t receive(char* into, std::size_t size) noexcept;
  ssize_t send(const char* from, std::size_t size) noexcept;
  bool wants_to_write() const noexcept { return wants_to_write_; }
  // Are decrypted bytes left? The socket won't become readable because of them.
  bool has_unread() const noexcept;
  bool is_established() const noexcept;
  // Sends the client the end of TLS (close_notify), if the socket takes it at once.
  void say_goodbye() noexcept;
  // Why it failed, for a log; empty: it didn't, or the connection just ended.
  const std::string& fault() const noexcept { return fault_; }

 private:
  ssize_t result_of(int done) noexcept;

  struct Free {
    void operator()(ssl_st* session) const noexcept;
  };
  std::unique_ptr<ssl_st, Free> session_;
  bool wants_to_write_ = false;
  bool has_failed_ = false;
  std::string fault_;
};

}  // namespace rsd::server
