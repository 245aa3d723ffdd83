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
  // the key is not the certificate's.
  static Result<TlsIdentity> load(const TlsFiles& files);

 private:
  friend class TlsSession;
  explicit TlsIdentity(std::shared_ptr<ssl_ctx_st> context) : context_(std::move(context)) {}

  std::shared_ptr<ssl_ctx_st> context_;
};

// One connection's TLS, version 1.2 or later, over a socket that doesn't block and stays its
// owner's. The handshake is made by the first calls of receive(). The process ignores SIGPIPE. For
// one thread at a time.
class TlsSession {
 public:
  // Throws std::bad_alloc.
  TlsSession(const TlsIdentity& identity, int socket);

  // As recv(2) and send(2): -1 and errno EAGAIN where the socket has to be waited for, until it is
  // readable, or writable where wants_to_write(). Other failures are final.
  ssize_t receive(char* into, std::size_t size) noexcept;
  ssize_t send(const char* from, std::size_t size) noexcept;
  bool wants_to_write() const noexcept { return wants_to_write_; }
  // Bytes that have come and are decrypted: the socket won't become readable for their sake.
  bool has_unread() const noexcept;
  bool is_established() const noexcept;
  // Tells the client that nothing will follow, if the socket takes that at once.
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
