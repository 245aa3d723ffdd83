#include "connection_pool.h"

#include <system_error>
#include <utility>

namespace rsd::server {
namespace {

thread_local bool t_refuses = false;

}  // namespace

ConnectionPool::ConnectionPool(std::size_t max_threads) : max_threads_(max_threads) {
  threads_.reserve(max_threads);
  doorman_ = std::thread([this] { work(refused_, true); });
}

ConnectionPool::~ConnectionPool() {
  shutdown();
}

bool ConnectionPool::refuses() noexcept {
  return t_refuses;
}

void ConnectionPool::enqueue(std::function<void()> serve) {
  const std::lock_guard lock(mutex_);
  const bool needs_thread = n_idle_ <= waiting_.size() && threads_.size() < max_threads_;
  if (needs_thread) try_to_add_thread();
  if (waiting_.size() >= max_threads_ || threads_.empty()) {
    refused_.push_back(std::move(serve));
  } else {
    waiting_.push_back(std::move(serve));
    n_waiting_ = waiting_.size();
  }
  changed_.notify_all();
}

// Where the system gives no more threads, those that there are serve what waits.
void ConnectionPool::try_to_add_thread() {
  try {
    threads_.emplace_back([this] { work(waiting_, false); });
  } catch (const std::system_error&) {
  }
}

void ConnectionPool::work(Tasks& tasks, bool refuses) {
  t_refuses = refuses;
  std::unique_lock lock(mutex_);
  while (true) {
    if (!refuses) ++n_idle_;
    changed_.wait(lock, [&] { return shutdown_ || !tasks.empty(); });
    if (!refuses) --n_idle_;
    if (tasks.empty()) return;
    const auto serve = std::move(tasks.front());
    tasks.pop_front();
    n_waiting_ = waiting_.size();
    lock.unlock();
    serve();
    lock.lock();
  }
}

void ConnectionPool::shutdown() {
  {
    const std::lock_guard lock(mutex_);
    shutdown_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
  if (doorman_.joinable()) doorman_.join();
}

}  // namespace rsd::server
