// One client's connection to the RPC worker. Internal.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace rsd {

// Carries bytes between two sockets that don't block, and owns both.
class RpcRelay {
 public:
  // `greeting`: what the client has sent already.
  RpcRelay(int client, int worker, const std::string& greeting);
  ~RpcRelay();
  RpcRelay(const RpcRelay&) = delete;
  RpcRelay& operator=(const RpcRelay&) = delete;

  // Appends what poll(2) is to wait for.
  void add_events(std::vector<pollfd>& waiting) const;
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
  short client_events() const noexcept;
  short worker_events() const noexcept;
  bool read(int from, Way& way);
  bool write(int to, Way& way);

  const int client_;
  const int worker_;
  Way to_worker_;
  Way to_client_;
  std::chrono::steady_clock::time_point active_;
};

}  // namespace rsd
