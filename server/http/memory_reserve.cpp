#include "server/http/memory_reserve.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <new>
#include <thread>

namespace rsd::server {
namespace {

std::atomic<void*> g_reserve{nullptr};

// std::new_handler: where it returns, the allocation is tried again.
void find_memory() {
  constexpr int kTries = 10'000;
  thread_local int n_tries = 0;
  if (std::uncaught_exceptions() == 0 || ++n_tries > kTries) {
    n_tries = 0;
    throw std::bad_alloc();
  }
  if (void* reserve = g_reserve.exchange(nullptr)) return std::free(reserve);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace

MemoryReserve::MemoryReserve(std::size_t bytes) : bytes_(bytes) {
  restore();
  std::set_new_handler(&find_memory);
}

MemoryReserve::~MemoryReserve() {
  std::set_new_handler(nullptr);
  std::free(g_reserve.exchange(nullptr));
}

bool MemoryReserve::is_there() noexcept {
  return g_reserve != nullptr;
}

void MemoryReserve::restore() const noexcept {
  if (is_there()) return;
  void* none = nullptr;
  void* const reserve = std::malloc(bytes_);
  if (reserve != nullptr && !g_reserve.compare_exchange_strong(none, reserve)) std::free(reserve);
}

}  // namespace rsd::server
