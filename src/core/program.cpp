#include "rsd/core/program.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "rsd/core/check.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;

std::string os_reason(int error_number) {
  return std::generic_category().message(error_number);
}

bool is_executable(const fs::path& path) {
  std::error_code failure;
  return fs::is_regular_file(path, failure) && ::access(path.c_str(), X_OK) == 0;
}

bool is_current_folder(const std::string& folder) {
  std::error_code failure;
  return fs::equivalent(folder, ".", failure);
}

// The searched folders of PATH, in their order.
std::vector<std::string> trusted_folders() {
  std::vector<std::string> folders;
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string folder(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (folder.starts_with('/') && !is_current_folder(folder)) folders.push_back(folder);
  }
  return folders;
}

// This process's environment, with PWD and PATH replaced for the child.
std::vector<std::string> child_environment(const std::string& folder) {
  std::string path;
  for (const auto& searched : trusted_folders())
    path += (path.empty() ? "" : ":") + searched;
  std::vector<std::string> variables{"PATH=" + path, "PWD=" + folder};
  for (char** variable = environ; *variable; ++variable) {
    const std::string_view text(*variable);
    const bool is_ours =
        text.starts_with("PATH=") || text.starts_with("PWD=") || text.starts_with("OLDPWD=");
    if (!is_ours) variables.emplace_back(text);
  }
  return variables;
}

// A null-terminated array of C strings that refer to `texts`.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (auto& text : texts)
    pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

class FileActions {
 public:
  explicit FileActions(const ProgramCall& call) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, call.input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, call.output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, call.complaints, STDERR_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions_, call.folder.c_str());
  }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

Result<ProgramEnd> wait_for(pid_t child, const std::string& name) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR)
      return Error(ErrorCode::kRuntime, "can't wait for " + name + ": " + os_reason(errno));
  }
  if (WIFSIGNALED(status)) return ProgramEnd{.exit_status = 0, .signal = WTERMSIG(status)};
  return ProgramEnd{.exit_status = WEXITSTATUS(status), .signal = 0};
}

}  // namespace

Result<std::string> find_program(const std::string& name) {
  if (name.starts_with('/') && is_executable(name)) return name;
  if (name.find('/') == std::string::npos) {
    for (const auto& folder : trusted_folders()) {
      const fs::path path = fs::path(folder) / name;
      if (is_executable(path)) return path.string();
    }
  }
  return Error(ErrorCode::kMissingDependency,
               name +
                   " is not installed: it is in no folder of PATH (relative ones and the current "
                   "folder are not searched)");
}

Result<ProgramEnd> run_program(const ProgramCall& call) {
  RSD_CHECK(call.folder.starts_with('/'), "a program's working folder is absolute");
  auto path = find_program(call.program);
  if (!path) return path.error();
  const FileActions actions(call);
  std::vector<std::string> words{*path};
  words.insert(words.end(), call.arguments.begin(), call.arguments.end());
  std::vector<std::string> variables = child_environment(call.folder);
  pid_t child = 0;
  const int failure = ::posix_spawn(&child, path->c_str(), actions.get(), nullptr,
                                    pointers_to(words).data(), pointers_to(variables).data());
  if (failure != 0)
    return Error(ErrorCode::kRuntime, "can't start " + *path + ": " + os_reason(failure));
  return wait_for(child, *path);
}

}  // namespace rsd
