// The folder in which ggml's RPC server keeps the tensors that clients have sent. Internal.
#pragma once

#include <cstdint>
#include <string>

namespace rsd {

struct RemovedTensors {
  std::size_t count = 0;
  std::uintmax_t bytes = 0;
};

// Removes ggml's files (sixteen hexadecimal digits), those that were written first, until they have
// at most `max_bytes` together. Other files are neither counted nor removed. What can't be removed
// stays.
RemovedTensors limit_tensor_cache(const std::string& folder, std::uintmax_t max_bytes);

}  // namespace rsd
