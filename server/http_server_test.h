// A server on made-up logits and clients for it, for the tests over HTTP.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/http/http_server.h"
#include "server/routes.h"
#include "server/synthetic_engine_test.h"

namespace rsd::server {

inline constexpr const char* kBody = R"({"query":"q","documents":["a","b","c"]})";
inline constexpr const char* kJson = "application/json";

// A connection on which a test writes what it likes.
class RawClient {
 public:
  // From an address of this machine's own.
  explicit RawClient(int port, const char* own = "127.0.0.1")
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    ::inet_pton(AF_INET, own, &from.sin_addr);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&from), sizeof(from)), 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  RawClient(RawClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  RawClient& operator=(RawClient&&) = delete;
  // False: the server has closed the connection.
  bool write(const std::string& text) {
    return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  void end_writing() { ::shutdown(socket_, SHUT_WR); }
  std::string read_some() {
    char block[4096];
    const ssize_t n = ::recv(socket_, block, sizeof(block), 0);
    return n > 0 ? std::string(block, static_cast<std::size_t>(n)) : "";
  }
  // Waits until the server answers, or closes, one of the two, at most for a minute.
  bool is_answered_when_one_is(const RawClient& other) const {
    pollfd ends[] = {{socket_, POLLIN, 0}, {other.socket_, POLLIN, 0}};
    return ::poll(ends, 2, /*timeout=*/60'000) > 0 && (ends[0].revents & POLLIN) != 0;
  }
  // All until the server closes.
  std::string read_all() {
    std::string text;
    char block[4096];
    for (ssize_t n = 0; (n = ::recv(socket_, block, sizeof(block), 0)) > 0;)
      text.append(block, static_cast<std::size_t>(n));
    return text;
  }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

 private:
  int socket_;
};

inline std::string post(const std::string& path, const std::string& body,
                        const std::string& more = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class HttpServerTest : public testing::Test {
 protected:
  explicit HttpServerTest(const ServiceLimits& limits = {.jobs = {.queue = 4}})
      : service_(limits, {.decoder = DecoderKind::kExact}) {}
  void start(HttpServerOptions options = {}) {
    auto engine = std::make_unique<SyntheticEngine>(gate_);
    engine_ = engine.get();
    service_.start(synthetic_ranker(std::move(engine), /*parallel=*/1));
    start_without_model(std::move(options));
  }
  void start_without_model(HttpServerOptions options = {}) {
    options.port = 0;
    options.log = [this](const AccessRecord& record) {
      const std::lock_guard lock(mutex_);
      log_.push_back(record);
    };
    http_ = std::make_unique<HttpServer>(application_of(service_), std::move(options));
    port_ = http_->bind().value();
    thread_ = std::thread([this] { EXPECT_TRUE(http_->serve()); });
  }
  // Calls need the key "secret".
  void start_with_key(HttpServerOptions options = {}) {
    options.keys = ApiKeys({"secret"});
    start(std::move(options));
  }
  void TearDown() override {
    gate_.open();
    service_.stop(Clock::time_point::max());
    http_->stop(Clock::time_point::max());
    thread_.join();
  }
  httplib::Client client() const { return httplib::Client("127.0.0.1", port_); }
  std::vector<AccessRecord> log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  Gate gate_;
  SyntheticEngine* engine_ = nullptr;  // the service's
  Service service_;
  std::unique_ptr<HttpServer> http_;
  std::thread thread_;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<AccessRecord> log_;
};

}  // namespace rsd::server
