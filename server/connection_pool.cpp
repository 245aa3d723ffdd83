#include "connection_pool.h"

#include <system_error>
#include <utility>

namespace rsd::server {
namespace {

thread_local bool t_refuses = false;

}  // namespace

ConnectionPool::ConnectionPool(std::size_t max_threads, std::shared_ptr<PoolState> state)
    : max_threads_(max_threads), state_(std::move(state)) {
  threads_.reserve(max_threads);
  doorman_ = std::thread([this] { work(refused_, true); });
}

bool ConnectionPool::refuses() noexcept {
  return t_refuses;
}

void ConnectionPool::enqueue(std::function<void()> serve) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= max_threads_) {
    refused_.push_back(std::move(serve));
  } else {
    waiting_.push_back(std::move(serve));
    state_->n_waiting = waiting_.size();
    if (n_idle_ < waiting_.size() && threads_.size() < max_threads_) try_to_add_thread();
  }
  changed_.notify_all();
}

// False: the system gives no more threads, those that there are serve what waits.
bool ConnectionPool::try_to_add_thread() {
  try {
    threads_.emplace_back([this] { work(waiting_, false); });
    return true;
  } catch (const std::system_error&) {
    return false;
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
    state_->n_waiting = waiting_.size();
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
    thread.join();
  doorman_.join();
}

}  // namespace rsd::server
