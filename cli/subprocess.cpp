#include "subprocess.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace rsd::cli {

Result<void> run_program(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const auto& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t child = 0;
  const int failure =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure == ENOENT) {
    return Error(ErrorCode::kMissingDependency,
                 "the program " + command[0] + " is needed and was not found");
  }
  if (failure != 0) {
    return Error(ErrorCode::kRuntime,
                 "can't start " + command[0] + ": " + std::generic_category().message(failure));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  std::string whole;
  for (const auto& argument : command)
    whole += (whole.empty() ? "" : " ") + argument;
  return Error(ErrorCode::kRuntime, "this failed: " + whole);
}

}  // namespace rsd::cli
