#include "server/http/connection_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace rsd::server {
namespace {

constexpr std::size_t kBriefThreads = 2;
constexpr std::size_t kBriefTasks = 1024;  // that wait

}  // namespace

ConnectionPool::ConnectionPool(std::size_t max_threads) : max_threads_(max_threads) {
  threads_.reserve(max_threads + kBriefThreads);
  for (std::size_t i = 0; i < kBriefThreads; ++i)
    add_thread(brief_);
}

ConnectionPool::~ConnectionPool() {
  shutdown();
}

// If the system gives no more threads, the existing ones serve what waits.
bool ConnectionPool::enqueue(Task& serve) {
  const MutexLock lock(mutex_);
  if (shutdown_) return false;
  if (requests_.n_free() <= requests_.tasks.size() && requests_.n_threads < max_threads_) {
    try {
      add_thread(requests_);
    } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch): handled below
    }
  }
  if (requests_.tasks.size() >= max_threads_ || requests_.n_threads == 0) return false;
  requests_.tasks.push_back(std::move(serve));
  count_waiting();
  changed_.notify_all();
  return true;
}

bool ConnectionPool::enqueue_brief(Task& serve) {
  const MutexLock lock(mutex_);
  if (shutdown_ || brief_.tasks.size() >= kBriefTasks) return false;
  brief_.tasks.push_back(std::move(serve));
  changed_.notify_all();
  return true;
}

void ConnectionPool::add_thread(Queue& queue) {
  threads_.emplace_back([this, &queue] { work(queue); });
  ++queue.n_threads;
}

void ConnectionPool::count_waiting() {
  const std::size_t n_tasks = requests_.tasks.size();
  n_waiting_ = n_tasks - std::min(n_tasks, requests_.n_free());
}

void ConnectionPool::work(Queue& queue) {
  MutexLock lock(mutex_);
  while (true) {
    while (!shutdown_ && queue.tasks.empty())
      changed_.wait(mutex_);
    if (queue.tasks.empty()) return;
    {
      const Task serve = std::move(queue.tasks.front());
      queue.tasks.pop_front();
      ++queue.n_busy;
      count_waiting();
      lock.unlock();
      serve();
    }
    lock.lock();
    --queue.n_busy;
    count_waiting();
  }
}

void ConnectionPool::shutdown() {
  std::vector<std::thread> threads;
  {
    const MutexLock lock(mutex_);
    shutdown_ = true;
    threads.swap(threads_);
  }
  changed_.notify_all();
  for (std::thread& thread : threads)
    thread.join();
}

}  // namespace rsd::server
