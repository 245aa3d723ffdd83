#include "eval/gnuplot.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "rsd/core/program.h"

namespace rsd {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
// Unnamed temporary files in place of pipes, so that neither side can block the other.
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
      std::fseek(input.get(), 0, SEEK_SET) != 0) {  // also flushes the buffer
    return failed("a temporary file can't be written: " + os_reason(errno));
  }

  const auto end = run_program({.program = program,
                                .arguments = {"--default-settings", "-"},
                                .input = fileno(input.get()),
                                .output = fileno(output.get()),
                                .complaints = fileno(complaints.get())});
  if (!end) return end.error();
  if (end->signal != 0) return failed("ended by signal " + std::to_string(end->signal));
  if (end->exit_status != 0) {
    return failed("exit status " + std::to_string(end->exit_status) + ": " +
                  first_line_of(content_of(complaints.get())));
  }
  return content_of(output.get());
}

}  // namespace rsd
