// The threads that serve connections.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

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

  void add_thread(Queue& queue);
  void work(Queue& queue);
  void count_waiting();

  const std::size_t max_threads_;
  std::atomic<std::size_t> n_waiting_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  Queue requests_;
  Queue brief_;
  bool shutdown_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace rsd::server
