// What keeps a process alive that runs out of memory.
#pragma once

#include <cstddef>

namespace rsd::server {

// A request that finds no memory ends with std::bad_alloc; but while that is on its way up, the
// destructors that it passes may need memory themselves (nlohmann::json's do), and where they find
// none the process ends. So some is kept for them: an allocation that fails during the unwinding of
// an exception gets the reserve, and where that is gone it waits for others to give back theirs,
// for seconds. All others fail as ever. It is the process's std::new_handler as long as it lives;
// one at a time.
class MemoryReserve {
 public:
  explicit MemoryReserve(std::size_t bytes);
  ~MemoryReserve();
  MemoryReserve(const MemoryReserve&) = delete;
  MemoryReserve& operator=(const MemoryReserve&) = delete;

  static bool is_there() noexcept;
  // Lays it in again, if it is gone and there is memory. From any thread.
  void restore() const noexcept;

 private:
  const std::size_t bytes_;
};

}  // namespace rsd::server
