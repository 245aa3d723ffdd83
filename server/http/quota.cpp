#include "server/http/quota.h"

namespace rsd::server {

// What a Share points to: it gives back what was taken when it goes.
struct Quota::Taken {
  Taken() = default;
  ~Taken() {
    if (quota != nullptr) quota->give_back(name, n);
  }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;

  Quota* quota = nullptr;  // once it is counted
  std::string name;
  std::size_t n = 0;
};

std::optional<Quota::Share> Quota::take(const std::string& name, std::size_t n) {
  auto share = std::make_shared<Taken>();  // first: nothing may fail after the count
  share->name = name;
  share->n = n;
  if (n == 0) return share;
  const MutexLock lock(mutex_);
  std::size_t& taken = taken_[name];
  if (n > limit_ || taken > limit_ - n) {
    if (taken == 0) taken_.erase(name);
    return std::nullopt;
  }
  taken += n;
  share->quota = this;
  return share;
}

void Quota::give_back(const std::string& name, std::size_t n) noexcept {
  const MutexLock lock(mutex_);
  const auto taken = taken_.find(name);
  taken->second -= n;
  if (taken->second == 0) taken_.erase(taken);
}

}  // namespace rsd::server
