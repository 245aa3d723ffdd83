// Memory that is kept for the moment when there is none left.
#pragma once

#include <cstddef>

namespace rsd::server {

// A request without memory ends with std::bad_alloc. While that exception unwinds, destructors may
// allocate (nlohmann::json's do), and if they fail, the process ends. So some memory is reserved
// for them: an allocation that fails during unwinding gets the reserve; once that is gone, it waits
// up to some seconds for others to free memory. Other allocations fail as usual. At most one per
// process, whose std::new_handler it is while it lives.
class MemoryReserve {
 public:
  explicit MemoryReserve(std::size_t bytes);
  ~MemoryReserve();
  MemoryReserve(const MemoryReserve&) = delete;
  MemoryReserve& operator=(const MemoryReserve&) = delete;

  static bool is_there() noexcept;
  // Allocates the reserve again, if it is gone and there is memory. From any thread.
  void restore() const noexcept;

 private:
  const std::size_t bytes_;
};

}  // namespace rsd::server
