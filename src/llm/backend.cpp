#include "llm/backend.h"

#include <llama.h>

#include <mutex>

#include "llm/cpu_features.h"

namespace rsd {

Result<void> start_backend() {
  if (auto checked = check_this_cpu(); !checked) return checked;
  static std::once_flag started;
  std::call_once(started, [] { llama_backend_init(); });
  return {};
}

}  // namespace rsd
