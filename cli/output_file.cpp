#include "output_file.h"

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <system_error>
#include <utility>

#include "rsd/data/atomic_file.h"

namespace rsd::cli {
namespace {

Error failure(const std::string& what, const std::string& path) {
  const std::string reason = errno != 0 ? ": " + std::generic_category().message(errno) : "";
  return {ErrorCode::kRuntime, what + " " + path + reason};
}

}  // namespace

std::string OutputFile::target_of(const std::string& path) {
  std::error_code failure;
  if (!std::filesystem::is_symlink(path, failure)) return path;
  const auto target = std::filesystem::canonical(path, failure);
  return failure ? path : target.string();
}

Result<OutputFile> OutputFile::open(const std::string& path, std::string_view kept) {
  OutputFile output(path);
  if (path.empty()) return output;
  std::error_code unknown;
  const auto status = std::filesystem::status(path, unknown);
  if (std::filesystem::is_directory(status)) {
    return Error(ErrorCode::kRuntime, "can't write to " + path + ": it is a folder");
  }
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return Error(ErrorCode::kRuntime, "can't write to " + path + ": it is no plain file");
  }
  const std::string partial = partial_path(path);
  if (auto written = write_file_atomically(partial, kept); !written) return written.error();
  errno = 0;
  output.file_.open(partial, std::ios::binary | std::ios::app);
  if (!output.file_) return failure("can't write to", partial);
  return output;
}

Result<void> OutputFile::write(std::string_view text) {
  std::ostream& out = to_standard_output() ? std::cout : file_;
  errno = 0;
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.flush();
  if (out) return {};
  return failure("can't write to", to_standard_output() ? "standard output" : partial_path(path_));
}

Result<void> OutputFile::commit() {
  if (to_standard_output()) return {};
  errno = 0;
  file_.close();
  if (!file_) return failure("can't write to", partial_path(path_));
  std::error_code renamed;
  std::filesystem::rename(partial_path(path_), path_, renamed);
  if (renamed) return Error(ErrorCode::kRuntime, "can't write " + path_ + ": " + renamed.message());
  return {};
}

void OutputFile::discard() {
  if (to_standard_output()) return;
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(partial_path(path_), ignored);
}

}  // namespace rsd::cli
