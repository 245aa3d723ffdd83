// Locks that clang checks: what RSD_GUARDED_BY a mutex is not touched without it. Other compilers
// see a std::mutex. `./dev lint` runs the check (clang.llvm.org/docs/ThreadSafetyAnalysis.html).
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define RSD_THREAD_ANNOTATION(attribute) __attribute__((attribute))
#else
#define RSD_THREAD_ANNOTATION(attribute)
#endif

// Of data: it is read and written with this mutex held.
#define RSD_GUARDED_BY(mutex) RSD_THREAD_ANNOTATION(guarded_by(mutex))
// Of functions: they are called with it held, and leave it held.
#define RSD_REQUIRES(...) RSD_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))

namespace rsd {

class RSD_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() RSD_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() RSD_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  friend class Condition;

  std::mutex mutex_;
};

// Holds a mutex as long as it lives, but for the time between unlock() and lock().
class RSD_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) RSD_THREAD_ANNOTATION(acquire_capability(mutex))
      : lock_(mutex) {}
  ~MutexLock() RSD_THREAD_ANNOTATION(release_capability()) = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() RSD_THREAD_ANNOTATION(release_capability()) { lock_.unlock(); }
  void lock() RSD_THREAD_ANNOTATION(acquire_capability()) { lock_.lock(); }

 private:
  std::unique_lock<Mutex> lock_;
};

// Waits are for a loop that looks at what is guarded: clang does not see into a predicate.
class Condition {
 public:
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

  void wait(Mutex& mutex) RSD_REQUIRES(mutex) {
    Adopted held(mutex.mutex_);
    condition_.wait(held.lock);
  }
  // False: it is `until`, or later.
  template <class Clock, class Duration>
  bool wait_until(Mutex& mutex, std::chrono::time_point<Clock, Duration> until)
      RSD_REQUIRES(mutex) {
    Adopted held(mutex.mutex_);
    return condition_.wait_until(held.lock, until) == std::cv_status::no_timeout;
  }

 private:
  // The caller's lock stays the caller's, whatever is thrown.
  struct Adopted {
    explicit Adopted(std::mutex& mutex) : lock(mutex, std::adopt_lock) {}
    ~Adopted() { lock.release(); }

    std::unique_lock<std::mutex> lock;
  };

  std::condition_variable condition_;
};

}  // namespace rsd
