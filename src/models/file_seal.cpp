#include "models/file_seal.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "models/sha256.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBlockBytes = 4096;
constexpr std::uint64_t kBlocks = 1024;

Result<std::uint64_t> size_of(const std::string& path) {
  std::error_code failure;
  const std::uint64_t size = fs::file_size(path, failure);
  if (failure) return Error(ErrorCode::kNotFound, "can't read " + path + ": " + failure.message());
  return size;
}

// Where block `n` begins: the first at 0, the last at the end of the file, which is longer than
// all of them.
std::uint64_t block_start(std::uint64_t n, std::uint64_t size) {
  const std::uint64_t last = size - kBlockBytes;
  return last / (kBlocks - 1) * n + last % (kBlocks - 1) * n / (kBlocks - 1);
}

Result<std::string> samples_of(const std::string& path, std::uint64_t size) {
  if (size <= kBlocks * kBlockBytes) return sha256(path);
  std::ifstream file(path, std::ios::binary);
  Sha256 digest;
  std::array<char, kBlockBytes> block;
  for (std::uint64_t n = 0; n < kBlocks; ++n) {
    file.seekg(static_cast<std::streamoff>(block_start(n, size)));
    if (!file.read(block.data(), block.size()))
      return Error(ErrorCode::kRuntime, "can't read " + path + " to its end");
    digest.update(block);
  }
  return digest.finish();
}

}  // namespace

Result<FileSeal> seal_of(const std::string& path) {
  const auto size = size_of(path);
  if (!size) return size.error();
  auto whole = sha256(path);
  if (!whole) return whole.error();
  auto samples = samples_of(path, *size);
  if (!samples) return samples.error();
  return FileSeal{.size_bytes = *size, .sha256 = *std::move(whole), .samples = *std::move(samples)};
}

std::optional<std::string> find_damage(const std::string& path, const FileSeal& seal,
                                       DamageCheck check) {
  const auto size = size_of(path);
  if (!size) return "it can't be read";
  if (*size != seal.size_bytes) {
    return "it has " + std::to_string(*size) + " bytes in place of " +
           std::to_string(seal.size_bytes);
  }
  const auto found = check == DamageCheck::kWhole ? sha256(path) : samples_of(path, *size);
  if (!found) return found.error().message();
  if (*found == (check == DamageCheck::kWhole ? seal.sha256 : seal.samples)) return std::nullopt;
  return "its content doesn't match its checksum";
}

}  // namespace rsd
