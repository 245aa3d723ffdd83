#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <csignal>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "options/common_options.h"
#include "program.h"
#include "terminal/exit_code.h"
#include "terminal/help.h"
#include "terminal/log.h"
#include "terminal/thread_waiting.h"

namespace {

using namespace rsd::cli;

// llama.cpp's -ngl has one dash and three letters, which is three flags to most parsers.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> reversed(argv + 1, argv + argc);
  std::ranges::replace(reversed, "-ngl", "--n-gpu-layers");
  std::ranges::reverse(reversed);  // the order that CLI11 takes them in
  return reversed;
}

int report(const CLI::App& app, const CLI::ParseError& stop) {
  const bool asked = stop.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
  if (asked) {
    app.exit(stop, std::cout, std::cerr);
    return kSuccess;
  }
  std::cerr << usage_message(app, stop);
  return dynamic_cast<const CLI::FileError*>(&stop) ? kFileMissing : kUsage;
}

// A file that we open must not get the number of a standard stream that the caller closed.
void occupy_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    // For reading, so that writing results to it still fails.
    const int file = ::open("/dev/null", O_RDONLY);
    if (file >= 0 && file != stream) ::close(file);
  }
}

int run(int argc, char** argv) {
  CLI::App app;
  Selected selected;
  for (int i = 0; i < argc; ++i)
    selected.command_line += (i ? " " : "") + std::string(argv[i]);
  describe_program(app, selected);
  try {
    app.parse(arguments(argc, argv));
  } catch (const CLI::ParseError& stop) {
    return report(app, stop);
  }
  start_log(selected.common.log_level);
  return selected.run();
}

// Results that didn't arrive are a failure, whichever command wrote them.
int finish(int code) {
  std::cout.flush();
  if (std::cout || (code != kSuccess && code != kSomeFailed)) return code;
  std::cerr << "rsd: error: can't write to standard output\n";
  return kRuntimeFailure;
}

}  // namespace

int main(int argc, char** argv) try {
  wait_without_long_spinning(argv);
  occupy_standard_streams();
  std::ios::sync_with_stdio(false);  // what has come in on stdin can be seen (RequestReader)
  std::signal(SIGPIPE, SIG_IGN);     // a reader that goes away is a failed write, with a message
  return finish(run(argc, argv));
} catch (const std::bad_alloc&) {
  std::cerr << "rsd: error: there is not enough memory for this\n";
  return rsd::cli::kRuntimeFailure;
} catch (const std::exception& failure) {
  std::cerr << "rsd: this is a defect of rsd, please report it: " << failure.what() << '\n';
  return rsd::cli::kRuntimeFailure;
}
