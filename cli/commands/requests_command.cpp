#include "commands/commands.h"

#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "options/flags.h"
#include "options/trec_options.h"
#include "rsd/data/resumable_output.h"
#include "terminal/exit_code.h"

namespace rsd::cli {
namespace {

struct RequestsOptions {
  TrecFiles files;
  std::string output;
};

Result<ExitCode> write_requests(const RequestsOptions& options) {
  if (auto usable = check(options.files); !usable) return usable.error();
  if (options.files.run.empty()) {
    return Error(ErrorCode::kInvalidArgument, "--run, --topics and --corpus are missing");
  }
  const auto lines = trec_request_lines(options.files);
  if (!lines) return lines.error();
  auto output = OutputFile::open(options.output);
  if (!output) return output.error();
  if (auto written = output->write(lines->text); !written) return written.error();
  if (auto done = output->commit(); !done) return done.error();
  for (const Error& failed : lines->failures)
    spdlog::error("{}", failed.message());
  return lines->failures.empty() ? kSuccess : kSomeFailed;
}

}  // namespace

void add_requests_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<RequestsOptions>();
  CLI::App* command = add_command(app, selected, "requests",
                                  "Write request lines of a TREC run, its topics and its corpus");
  add_trec_options(*command, options->files);
  Flags(*command).add({"--output", "FILE", "File for them; without it stdout"}, options->output,
                      not_empty());
  set_run(*command, selected, [options] { return write_requests(*options); });
}

}  // namespace rsd::cli
