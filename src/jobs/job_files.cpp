#include "jobs/job_files.h"

#include <filesystem>
#include <system_error>

namespace rsd {

std::string dataset_name(const std::string& path) {
  return path == "-" ? "stdin" : std::filesystem::path(path).stem().string();
}

Result<void> make_result_folder(const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (!failure && std::filesystem::is_directory(folder, failure)) return {};
  return Error(ErrorCode::kRuntime, "the folder " + folder + " can't be made" +
                                        (failure ? ": " + failure.message() : ": it is a file"));
}

}  // namespace rsd
