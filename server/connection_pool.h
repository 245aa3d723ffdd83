// The threads that serve connections.
#pragma once

#include <httplib.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace rsd::server {

// What is known of a pool beyond its life, which httplib rules.
struct PoolState {
  std::atomic<std::size_t> n_waiting{0};  // connections that no thread serves yet
};

// A thread a connection, made when it is needed. As many connections more may wait; those behind
// them are served by one thread that `refuses`: it tells them that there is no room.
class ConnectionPool final : public httplib::TaskQueue {
 public:
  ConnectionPool(std::size_t max_threads, std::shared_ptr<PoolState> state);

  void enqueue(std::function<void()> serve) override;
  // Behind what is there already.
  void shutdown() override;

  // On the thread that calls it.
  static bool refuses() noexcept;

 private:
  using Tasks = std::deque<std::function<void()>>;

  bool try_to_add_thread();
  void work(Tasks& tasks, bool refuses);

  const std::size_t max_threads_;
  const std::shared_ptr<PoolState> state_;
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
