// The threads that serve connections.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "rsd/core/mutex.h"

namespace rsd::server {

// One thread per request, made when it is needed; as many more requests may wait. What takes no
// time (answers about the server's health, and refusals) has threads of its own.
class ConnectionPool {
 public:
  explicit ConnectionPool(std::size_t max_threads);
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // They throw nothing.
  using Task = std::function<void()>;
  // False: there is no room. Then `serve` is as it was.
  bool enqueue(Task& serve);
  bool enqueue_brief(Task& serve);
  // Requests that wait for a thread.
  std::size_t n_waiting() const noexcept { return n_waiting_; }
  // Waits until all tasks are done.
  void shutdown();

 private:
  struct Queue {
    std::deque<Task> tasks;
    std::size_t n_threads = 0;
    std::size_t n_busy = 0;

    std::size_t n_free() const noexcept { return n_threads - n_busy; }
  };

  void add_thread(Queue& queue) RSD_REQUIRES(mutex_);
  void work(Queue& queue);
  void count_waiting() RSD_REQUIRES(mutex_);

  const std::size_t max_threads_;
  std::atomic<std::size_t> n_waiting_{0};
  Mutex mutex_;
  Condition changed_;
  Queue requests_ RSD_GUARDED_BY(mutex_);
  Queue brief_ RSD_GUARDED_BY(mutex_);
  bool shutdown_ RSD_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ RSD_GUARDED_BY(mutex_);
};

}  // namespace rsd::server
