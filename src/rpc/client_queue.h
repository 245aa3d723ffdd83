// The clients of an RPC server that wait for their turn. Internal.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <list>
#include <string>
#include <vector>

#include "rsd/core/log.h"

namespace rsd {

// ggml's first message: the number of the command, the size of what follows, and what follows.
inline constexpr std::size_t kGreetingBytes = 1 + 8 + 24;

// Accepts clients and reads their greetings. No socket blocks. One thread.
class ClientQueue {
 public:
  struct Limits {
    std::size_t waiting = 16;                   // clients beyond are closed
    std::chrono::milliseconds greeting{5'000};  // from accepting a client to its whole greeting
    LogSink log{};
  };
  // Owns `listening`.
  ClientQueue(int listening, Limits limits);
  ~ClientQueue();
  ClientQueue(const ClientQueue&) = delete;
  ClientQueue& operator=(const ClientQueue&) = delete;

  // Appends what poll(2) is to wait for.
  void add_events(std::vector<pollfd>& waiting) const;
  void accept_all();
  // Closes clients that are gone or late.
  void receive_greetings();

  // True if a client's greeting is complete.
  bool has_greeted() const;
  struct Greeted {
    int socket = -1;
    std::string greeting;
  };
  // Removes the first client whose greeting is complete. Requires has_greeted(). The caller owns
  // the socket.
  Greeted take_greeted();

 private:
  struct Client {
    int socket;
    std::chrono::steady_clock::time_point since;
    std::string greeting;  // as much as has come
    bool is_greeted() const noexcept { return greeting.size() == kGreetingBytes; }
  };
  void add(int socket);
  static bool receive(Client& client);

  const int listening_;
  const Limits limits_;
  std::list<Client> clients_;  // in the order in which they came
  bool accepts_ = true;        // false: the system lacks something for a client
};

}  // namespace rsd
