#include "llm/backend.h"

#include <dlfcn.h>
#include <ggml-backend.h>
#include <llama.h>

#include <filesystem>
#include <mutex>
#include <string>

#include "llm/cpu_features.h"

namespace rsd {
namespace {

// In builds with kernels for several CPUs, each is a library of its own, beside that of ggml's
// registry. ggml itself would also search the current folder, where a stranger's library may lie.
void load_kernels() {
#ifdef GGML_BACKEND_DL
  Dl_info registry{};
  if (::dladdr(reinterpret_cast<const void*>(&ggml_backend_reg_count), &registry) == 0) return;
  const auto folder = std::filesystem::path(registry.dli_fname).parent_path();
  ggml_backend_load_all_from_path(folder.c_str());
#endif
}

}  // namespace

Result<void> start_backend() {
  if (auto checked = check_this_cpu(); !checked) return checked;
  static std::once_flag started;
  std::call_once(started, [] {
    load_kernels();
    llama_backend_init();
  });
  if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) != nullptr) return {};
  return Error(ErrorCode::kMissingDependency,
               "there are no kernels for this CPU (libggml-cpu-*.so) beside libggml.so");
}

}  // namespace rsd
