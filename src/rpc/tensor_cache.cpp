#include "rpc/tensor_cache.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

namespace rsd {
namespace {

namespace fs = std::filesystem;

struct CachedTensor {
  fs::path path;
  fs::file_time_type written;
  std::uintmax_t bytes;
};

bool is_tensor(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename();
  std::error_code ignored;
  return name.size() == 16 && name.find_first_not_of("0123456789abcdef") == std::string::npos &&
         !entry.is_symlink(ignored) && entry.is_regular_file(ignored);
}

std::vector<CachedTensor> tensors_in(const std::string& folder) {
  std::vector<CachedTensor> tensors;
  std::error_code failure;
  for (fs::directory_iterator at(folder, failure), end; !failure && at != end;
       at.increment(failure)) {
    if (!is_tensor(*at)) continue;
    std::error_code gone;
    const auto written = at->last_write_time(gone);
    const auto bytes = at->file_size(gone);
    if (!gone) tensors.push_back({.path = at->path(), .written = written, .bytes = bytes});
  }
  return tensors;
}

}  // namespace

RemovedTensors limit_tensor_cache(const std::string& folder, std::uintmax_t max_bytes) {
  auto tensors = tensors_in(folder);
  std::ranges::sort(tensors, {}, &CachedTensor::written);
  std::uintmax_t bytes = 0;
  for (const CachedTensor& tensor : tensors)
    bytes += tensor.bytes;
  RemovedTensors removed;
  for (auto oldest = tensors.begin(); bytes > max_bytes && oldest != tensors.end(); ++oldest) {
    std::error_code failure;
    if (!fs::remove(oldest->path, failure)) continue;
    bytes -= oldest->bytes;
    removed.bytes += oldest->bytes;
    ++removed.count;
  }
  return removed;
}

}  // namespace rsd
