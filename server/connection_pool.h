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

// A thread a connection, made when it is needed. As many connections more may wait; those behind
// them are served by one thread that `refuses`: it tells them that there is no room.
class ConnectionPool {
 public:
  explicit ConnectionPool(std::size_t max_threads);
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // `serve` throws nothing.
  void enqueue(std::function<void()> serve);
  // Connections that no thread serves yet.
  std::size_t n_waiting() const noexcept { return n_waiting_; }
  // Behind what is there already.
  void shutdown();

  // On the thread that calls it.
  static bool refuses() noexcept;

 private:
  using Tasks = std::deque<std::function<void()>>;

  void try_to_add_thread();
  void work(Tasks& tasks, bool refuses);

  const std::size_t max_threads_;
  std::atomic<std::size_t> n_waiting_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  Tasks waiting_;
  Tasks refused_;
  std::size_t n_idle_ = 0;
  bool shutdown_ = false;
  std::vector<std::thread> threads_;
  std::thread doorman_;
};

}  // namespace rsd::server
