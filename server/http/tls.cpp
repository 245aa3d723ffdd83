#include "server/http/tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <fstream>
#include <limits>
#include <new>
#include <utility>

namespace rsd::server {
namespace {

// The oldest error of this thread in OpenSSL's queue, in OpenSSL's words.
std::string complaint() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (const char* reason = ERR_reason_error_string(code)) return reason;
  std::array<char, 256> text{};
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

bool is_readable(const std::string& path) {
  return std::ifstream(path).good();
}

// OpenSSL would ask for it at the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

// Mozilla's "intermediate" set: forward secrecy and authenticated encryption. TLS 1.3 has no other.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

bool set_rules(SSL_CTX* context) {
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_default_passwd_cb(context, &no_passphrase);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, kCiphers) == 1;
}

}  // namespace

Result<TlsIdentity> TlsIdentity::load(const TlsFiles& files) {
  for (const std::string& path : {files.certificate, files.key})
    if (!is_readable(path)) return Error(ErrorCode::kNotFound, "can't read " + path);
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (!context || !set_rules(context.get()))
    return Error(ErrorCode::kRuntime, "OpenSSL gives no TLS 1.2: " + complaint());
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1) {
    return Error(ErrorCode::kInvalidInput,
                 "there is no usable certificate in " + files.certificate + ": " + complaint());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return Error(ErrorCode::kInvalidInput,
                 "there is no private key of the certificate in " + files.key + ": " + complaint());
  }
  return TlsIdentity(std::move(context));
}

void TlsSession::Free::operator()(ssl_st* session) const noexcept {
  SSL_free(session);
}

TlsSession::TlsSession(const TlsIdentity& identity, int socket)
    : session_(SSL_new(identity.context_.get())) {
  if (!session_ || SSL_set_fd(session_.get(), socket) != 1) throw std::bad_alloc();
  SSL_set_accept_state(session_.get());
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
}

// The result of a call of OpenSSL in the form of the system's calls.
ssize_t TlsSession::result_of(int done) noexcept {
  wants_to_write_ = false;
  if (done > 0) return done;
  const int system_error = errno;
  const int error = SSL_get_error(session_.get(), done);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    wants_to_write_ = error == SSL_ERROR_WANT_WRITE;
    errno = EAGAIN;
    return -1;
  }
  has_failed_ = true;
  if (error == SSL_ERROR_SYSCALL) {
    errno = system_error == 0 || system_error == EAGAIN ? ECONNRESET : system_error;
    return -1;
  }
  try {
    fault_ = complaint();
  } catch (const std::exception&) {  // no memory for saying it
    fault_.clear();
  }
  errno = EPROTO;
  return -1;
}

ssize_t TlsSession::receive(char* into, std::size_t size) noexcept {
  errno = has_failed_ ? EPROTO : 0;
  if (has_failed_) return -1;
  ERR_clear_error();
  constexpr std::size_t kMost = std::numeric_limits<int>::max();
  return result_of(SSL_read(session_.get(), into, static_cast<int>(std::min(size, kMost))));
}

ssize_t TlsSession::send(const char* from, std::size_t size) noexcept {
  errno = has_failed_ ? EPROTO : 0;
  if (has_failed_) return -1;
  ERR_clear_error();
  constexpr std::size_t kMost = std::numeric_limits<int>::max();
  return result_of(SSL_write(session_.get(), from, static_cast<int>(std::min(size, kMost))));
}

bool TlsSession::has_unread() const noexcept {
  return SSL_pending(session_.get()) > 0;
}

bool TlsSession::is_established() const noexcept {
  return SSL_is_init_finished(session_.get()) == 1;
}

void TlsSession::say_goodbye() noexcept {
  if (has_failed_ || !is_established()) return;
  ERR_clear_error();
  SSL_shutdown(session_.get());
  ERR_clear_error();
}

}  // namespace rsd::server
