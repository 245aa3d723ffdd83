// A value that may be replaced while others use it.
#pragma once

#include <memory>
#include <utility>

#include "rsd/core/mutex.h"

namespace rsd::server {

// Thread-safe. A value that get() has returned lives on after set().
template <class T>
class Renewable {
 public:
  explicit Renewable(std::shared_ptr<const T> value) : value_(std::move(value)) {}

  std::shared_ptr<const T> get() const {
    const MutexLock lock(mutex_);
    return value_;
  }
  void set(std::shared_ptr<const T> value) {
    const MutexLock lock(mutex_);
    value_.swap(value);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const T> value_ RSD_GUARDED_BY(mutex_);  // may be null
};

}  // namespace rsd::server
