#include "eval/gnuplot.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

namespace rsd {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
// Nameless temporary files in place of pipes: neither side ever waits for the other.
using TemporaryFile = std::unique_ptr<std::FILE, CloseFile>;

std::string os_reason(int error_number) {
  return std::generic_category().message(error_number);
}

Error failed(const std::string& what) {
  return {ErrorCode::kRuntime, "gnuplot: " + what};
}

std::string content_of(std::FILE* file) {
  std::string content;
  std::array<char, 4096> buffer;
  if (std::fseek(file, 0, SEEK_SET) != 0) return content;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), file))
    content.append(buffer.data(), n);
  return content;
}

std::string first_line_of(std::string text) {
  text.erase(0, text.find_first_not_of(" \t\r\n"));
  return text.substr(0, text.find_first_of("\r\n"));
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  void connect(std::FILE* file, int descriptor) {
    posix_spawn_file_actions_adddup2(&actions_, fileno(file), descriptor);
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

Result<void> wait_for(pid_t child, std::FILE* complaints) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return failed("can't wait for it: " + os_reason(errno));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFSIGNALED(status)) return failed("ended by signal " + std::to_string(WTERMSIG(status)));
  return failed("exit status " + std::to_string(WEXITSTATUS(status)) + ": " +
                first_line_of(content_of(complaints)));
}

}  // namespace

std::string gnuplot_string(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + "'";
}

Result<std::string> run_gnuplot(const std::string& script, const std::string& program) {
  const TemporaryFile input(std::tmpfile());
  const TemporaryFile output(std::tmpfile());
  const TemporaryFile complaints(std::tmpfile());
  if (!input || !output || !complaints) return failed("no temporary file: " + os_reason(errno));
  if (std::fwrite(script.data(), 1, script.size(), input.get()) != script.size() ||
      std::fseek(input.get(), 0, SEEK_SET) != 0) {  // which writes out what is buffered
    return failed("a temporary file can't be written: " + os_reason(errno));
  }

  FileActions actions;
  actions.connect(input.get(), STDIN_FILENO);
  actions.connect(output.get(), STDOUT_FILENO);
  actions.connect(complaints.get(), STDERR_FILENO);
  std::array<std::string, 3> arguments = {program, "--default-settings", "-"};
  std::array<char*, 4> argv = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                               nullptr};
  pid_t child = 0;
  const int error_number =
      posix_spawnp(&child, program.c_str(), actions.get(), nullptr, argv.data(), environ);
  if (error_number == ENOENT) {
    return Error(ErrorCode::kMissingDependency, program + " is not installed");
  }
  if (error_number != 0) return failed("can't be started: " + os_reason(error_number));
  if (auto ended = wait_for(child, complaints.get()); !ended) return ended.error();
  return content_of(output.get());
}

}  // namespace rsd
