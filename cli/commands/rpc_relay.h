// One client's connection to the RPC worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace rsd::cli {

// Carries bytes between two sockets that don't block, and owns both.
class RpcRelay {
 public:
  // `greeting`: what the client has sent already.
  RpcRelay(int client, int worker, const std::string& greeting);
  ~RpcRelay();
  RpcRelay(const RpcRelay&) = delete;
  RpcRelay& operator=(const RpcRelay&) = delete;

  int client() const noexcept { return client_; }
  int worker() const noexcept { return worker_; }
  // Of poll(2).
  short client_events() const noexcept;
  short worker_events() const noexcept;
  // Carries what there is. False: one end has closed, and everything that it sent was passed on.
  bool carry();
  // When bytes went through last.
  std::chrono::steady_clock::time_point active() const noexcept { return active_; }

 private:
  struct Way {
    std::vector<char> bytes;
    std::size_t begin = 0;
    std::size_t end = 0;
    bool is_over = false;  // no more will be read

    bool is_empty() const noexcept { return begin == end; }
  };
  bool read(int from, Way& way);
  bool write(int to, Way& way);

  const int client_;
  const int worker_;
  Way to_worker_;
  Way to_client_;
  std::chrono::steady_clock::time_point active_;
};

}  // namespace rsd::cli
