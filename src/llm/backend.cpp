#include "llm/backend.h"

#include <llama.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "llm/cpu_features.h"

namespace rsd {

Result<void> start_backend() {
  if (auto checked = check_this_cpu(); !checked) return checked;
  static std::once_flag started;
  std::call_once(started, [] { llama_backend_init(); });
  return {};
}

int thread_count(int asked) {
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return asked != 0 ? asked : cores;
}

}  // namespace rsd
