#include "jobs/rank_output.h"

#include <filesystem>
#include <system_error>

#include "rsd/rank/presentation.h"
#include "rsd/trace/trace.h"

namespace rsd {
namespace {

Error unusable(const std::string& message) {
  return {ErrorCode::kInvalidArgument, message};
}

bool same_file(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return false;
  std::error_code missing;
  // Absolute first: weakly_canonical leaves the relative path of a file that doesn't exist as it
  // is.
  const auto path_of = [&](const std::string& text) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(text, missing), missing);
  };
  return path_of(a) == path_of(b);
}

bool overwrites(const std::string& result, const std::string& input) {
  if (result.empty()) return false;
  return same_file(result, input) || same_file(OutputFile::partial_path(result), input);
}

Result<void> check_paths(const RankOutputOptions& options, const std::vector<std::string>& inputs) {
  for (const auto& path : {options.output, options.trace}) {
    for (const auto& input : inputs) {
      if (overwrites(path, input))
        return unusable(path + " can't be both the requests and a result");
    }
  }
  if (same_file(options.output, options.trace))
    return unusable("--output and --trace can't be the same file " + options.trace);
  return {};
}

// One line per window, in the order of the plan.
std::string traces_of(const Request& request, const Answer& answer) {
  std::string text;
  for (const RankedPart& part : answer.rounds) {
    Trace trace = trace_of(request, answer.decoder, part.history, part.ranking);
    if (part.window > 0) trace.window = part.window;
    text += format_trace(trace);
  }
  return text;
}

}  // namespace

Result<RankOutput> RankOutput::plan(const RankOutputOptions& options,
                                    const std::vector<std::string>& inputs) {
  if (options.resume && options.output.empty()) return unusable("--resume needs --output");
  if (options.resume && !options.trace.empty())
    return unusable("--trace can't be resumed: it would lack what was ranked before");
  if (auto usable = check_paths(options, inputs); !usable) return usable.error();
  const bool has_space = options.tag.find_first_of(" \t\r\n") != std::string::npos;
  if (options.format == AnswerFormat::kTrec && (options.tag.empty() || has_space))
    return unusable("--tag must be a word without white space, not \"" + options.tag + "\"");
  return RankOutput(options);
}

Result<void> RankOutput::read_kept(const Conditions& conditions) {
  if (!options_.resume) return {};
  auto kept = read_kept_answers(options_.output, options_.format, conditions);
  if (!kept) return kept.error();
  kept_ = *std::move(kept);
  return {};
}

Result<bool> RankOutput::has(const Request& request) const {
  const auto found = kept_.requests.find(request.id);
  if (found == kept_.requests.end()) return false;
  if (found->second == content_digest(request)) return true;
  return unusable(options_.output +
                  " can't be resumed: it has an answer to another request of this id, or to other "
                  "texts; choose another --output");
}

Result<void> RankOutput::open(const Conditions& conditions, const std::string& model) {
  auto answers = ResumableOutput::open(options_.output, options_.format, conditions, kept_);
  if (!answers) return answers.error();
  answers_.emplace(*std::move(answers));
  if (options_.trace.empty()) return {};
  auto trace = OutputFile::open(options_.trace, format_trace_header(model));
  if (!trace) return trace.error();
  trace_.emplace(*std::move(trace));
  return {};
}

Result<void> RankOutput::write(const Request& request, const Answer& answer) {
  const auto text = format_answer(options_.format, request, answer, options_.tag);
  if (!text) return text.error();
  auto written = answers_->write(request, *text);
  if (written && trace_) written = trace_->write(traces_of(request, answer));
  is_broken_ = !written;
  return written;
}

Result<void> RankOutput::commit() {
  if (auto done = answers_->commit(); !done) return done;
  return trace_ ? trace_->commit() : Result<void>();
}

void RankOutput::discard() {
  answers_->discard();
  if (trace_) trace_->discard();
}

}  // namespace rsd
