// How much of something each client, or each key, may have at a time.
#pragma once

#include <cstddef>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "rsd/core/mutex.h"

namespace rsd::server {

// Thread-safe.
class Quota {
 public:
  static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

  explicit Quota(std::size_t limit) : limit_(limit) {}

  // Gives it back when the last copy is gone; the quota outlives it.
  using Share = std::shared_ptr<const void>;
  // nullopt if `name` would have more than the limit.
  std::optional<Share> take(const std::string& name, std::size_t n = 1);

  std::size_t limit() const noexcept { return limit_; }

 private:
  struct Taken;

  void give_back(const std::string& name, std::size_t n) noexcept;

  const std::size_t limit_;
  Mutex mutex_;
  std::map<std::string, std::size_t> taken_ RSD_GUARDED_BY(mutex_);  // no entry is 0
};

}  // namespace rsd::server
