#include "commands/rank_command.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <utility>

#include "options/decoder_options.h"
#include "options/engine_options.h"
#include "options/option_checks.h"
#include "options/trec_options.h"
#include "options/window_flags.h"
#include "rsd/data/answer_reader.h"
#include "rsd/data/answer_writer.h"
#include "rsd/data/request_reader.h"
#include "rsd/data/resumable_output.h"
#include "rsd/data/trace.h"
#include "rsd/rank/presentation.h"
#include "rsd/ranker/named_policies.h"
#include "rsd/ranker/ranker.h"
#include "rsd/ranker/ranking_queue.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {
namespace {

constexpr std::uint64_t kMaxTextTokens = 1'000'000'000;

struct RankFlags {
  EngineFlags engine;
  DecoderFlags decoder;
  WindowFlags windows;
  std::string requests;
  TrecFiles trec;  // in their place
  std::string previous;
  std::string format = "jsonl";
  std::string tag = "rsd";
  std::string output;
  bool resume = false;
  std::string trace;
  std::size_t max_text_tokens = kDefaultTextTokens;
};

std::optional<std::size_t> count_lines(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (count == 0 && begin != std::string::npos && line[begin] == '[') return std::nullopt;
    if (begin != std::string::npos) ++count;
  }
  return count;
}

bool same_file(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return false;
  std::error_code missing;
  const auto path_of = [&](const std::string& text) {
    return std::filesystem::weakly_canonical(text, missing);
  };
  return path_of(a) == path_of(b);
}

// A request in the queue, until its answer is written.
struct TakenIn {
  std::shared_ptr<const PreparedRequest> request;
  std::size_t line = 0;
  std::optional<Result<Answer>> answer;
};

// Ranks the requests of one file, as many at a time as --parallel says, and writes the answers in
// the order of the requests.
class RankRun {
 public:
  RankRun(const RankFlags& flags, const CommonOptions& common) : flags_(flags), common_(common) {}

  Result<ExitCode> run() {
    if (auto prepared = prepare(); !prepared) return prepared.error();
    progress_.emplace("requests", n_requests_);
    for (const Error& failed : failed_topics_)
      note_failure(failed);
    while (true) {
      progress_->show(n_done());
      take_in();
      if (taken_in_.empty()) break;
      for (auto& finished : queue_->step())
        taken_in_.at(finished.ticket).answer = std::move(finished.answer);
      if (auto written = write_finished(); !written) return written.error();
    }
    progress_.reset();
    if (!refusal_) return finish();
    if (n_answered_ == 0 && !kept_.is_interrupted) output_->discard();
    return *refusal_;
  }

 private:
  std::size_t n_done() const { return n_kept_ + n_answered_ + n_failed_; }

  // Requests, until the LLM has enough to do, or their answers would wait in too great a number for
  // one that takes long.
  void take_in() {
    constexpr std::size_t kWaitingFactor = 4;
    while (!refusal_ && queue_->has_place() &&
           taken_in_.size() < kWaitingFactor * flags_.engine.parallel) {
      if (queue_->size() > 0 && reader_->would_wait()) return;
      auto request = read_next();
      if (!request) return;
      if (auto started = start(*request); !started)
        note_failure(started.error().within(subject(request->id, reader_->line())));
    }
  }

  // Is its answer there already? One to another request of that id can't be kept, nor does it go.
  bool is_kept(const Request& request) {
    const auto found = kept_.requests.find(request.id);
    if (found == kept_.requests.end()) return false;
    if (found->second == content_digest(request)) return true;
    refusal_ = Error(ErrorCode::kInvalidArgument,
                     flags_.output +
                         " can't be resumed: it has an answer to another request of "
                         "this id, or to other texts; choose another --output")
                   .within(subject(request.id, reader_->line()));
    return false;
  }

  // nullopt at the end of the requests, or where one is refused.
  std::optional<Request> read_next() {
    while (true) {
      auto request = reader_->next();
      read_at_ = Clock::now();
      if (!request) {
        note_failure(request.error());
      } else if (!request->has_value()) {
        return std::nullopt;
      } else if (is_kept(**request)) {
        ++n_kept_;
      } else {
        if (refusal_) return std::nullopt;
        return *std::move(request);
      }
      progress_->show(n_done());
    }
  }

  Result<void> start(const Request& request) {
    RankOptions options = rank_options_;
    if (previous_) options.previous = previous_->draft_for(request);
    auto prepared = ranker_->prepare(request, options, read_at_);
    if (!prepared) return prepared.error();
    if (auto added = queue_->add(n_tickets_, *prepared); !added) return added;
    taken_in_.emplace(
        n_tickets_++,
        TakenIn{.request = *std::move(prepared), .line = reader_->line(), .answer = std::nullopt});
    return {};
  }

  // The answers that are there, up to the first that isn't.
  Result<void> write_finished() {
    while (!taken_in_.empty() && taken_in_.begin()->second.answer) {
      const TakenIn& done = taken_in_.begin()->second;
      const Result<Answer>& answer = *done.answer;
      Result<void> written =
          answer ? write(done.request->request(), *answer) : Result<void>(answer.error());
      if (output_broken_) return written;
      if (!written)
        note_failure(written.error().within(subject(done.request->request().id, done.line)));
      n_answered_ += written ? 1 : 0;
      taken_in_.erase(taken_in_.begin());
    }
    return {};
  }

  std::string subject(const std::string& id, std::size_t line) const {
    if (flags_.requests.empty()) return flags_.trec.run + ": topic \"" + id + "\"";
    return reader_->source() + ":" + std::to_string(line) + ": request \"" + id + "\"";
  }

  void note_failure(const Error& error) {
    progress_->clear();
    spdlog::error("{}", error.message());
    ++n_failed_;
  }

  // Everything that can be wrong is found before the model is loaded, the model before any output.
  Result<void> prepare() {
    auto options = rank_options(flags_.decoder, flags_.windows);
    if (!options) return options.error();
    rank_options_ = *std::move(options);
    rank_options_.max_text_tokens = flags_.max_text_tokens;
    rank_options_.keep_rounds = !flags_.trace.empty();
    warn_of_unused(flags_.decoder);
    auto format = parse_answer_format(flags_.format);
    if (!format) return format.error();
    format_ = *format;
    if (auto sensible = check_outputs(); !sensible) return sensible.error();
    if (auto opened = open_requests(); !opened) return opened.error();
    if (!flags_.previous.empty()) {
      auto previous = PreviousAnswers::read(flags_.previous);
      if (!previous) return previous.error();
      previous_ = *std::move(previous);
    }
    auto engine = engine_options(flags_.engine, common_);
    if (!engine) return engine.error();
    set_policy(flags_.decoder, *engine);
    auto served = with_served_model(*std::move(engine));
    if (!served) return served.error();
    engine_options_ = *std::move(served);
    auto conditions = conditions_of_run();
    if (!conditions) return conditions.error();
    conditions_ = *std::move(conditions);
    if (flags_.resume) {
      auto kept = read_kept_answers(flags_.output, format_, conditions_);
      if (!kept) return kept.error();
      kept_ = *std::move(kept);
    }
    report_lost_rpc_servers(engine_options_.rpc_servers);
    auto ranker = Ranker::load(engine_options_);
    if (!ranker) return ranker.error();
    ranker_.emplace(*std::move(ranker));
    if (rank_options_.deadline) {
      if (auto done = ranker_->calibrate(); !done) return done;
    }
    queue_.emplace(*ranker_);
    return open_outputs();
  }

  Result<void> open_requests() {
    if (auto usable = check(flags_.trec); !usable) return usable.error();
    if (!flags_.requests.empty() && !flags_.trec.run.empty())
      return Error(ErrorCode::kInvalidArgument, "--requests and --run exclude each other");
    if (flags_.requests.empty() && flags_.trec.run.empty()) {
      return Error(ErrorCode::kInvalidArgument,
                   "--requests is required, or --run, --topics and --corpus");
    }
    if (flags_.requests.empty()) {
      auto lines = trec_request_lines(flags_.trec);
      if (!lines) return lines.error();
      n_requests_ = lines->n_requests + lines->failures.size();
      failed_topics_ = std::move(lines->failures);
      reader_.emplace(std::make_unique<std::istringstream>(std::move(lines->text)),
                      flags_.trec.run + " as requests");
      return {};
    }
    n_requests_ = count_lines(flags_.requests);
    auto reader = RequestReader::open(flags_.requests);
    if (!reader) return reader.error();
    reader_.emplace(*std::move(reader));
    return {};
  }

  Result<Conditions> conditions_of_run() const {
    auto conditions = engine_conditions(engine_options_);
    if (!conditions) return conditions;
    const DecoderFlags& decoder = flags_.decoder;
    (*conditions)["decoder"] = decoder.decoder;
    (*conditions)["draft"] = decoder.draft;
    (*conditions)["policy"] = "";
    if (uses_policy(rank_options_.decoder)) {
      const auto policies = named_policies(policy_names(decoder));
      if (!policies) return policies.error();
      (*conditions)["policy"] = std::string(policies->front()->name());
      for (const auto& agent : agent_files(policy_names(decoder)))
        (*conditions)["agent"] = identity_of(agent);
    }
    if (const auto budget = budget_of_prompt()) (*conditions)["budget"] = std::to_string(*budget);
    if (!flags_.previous.empty()) (*conditions)["previous"] = identity_of(flags_.previous);
    (*conditions)["windows"] = described_windows();
    (*conditions)["max-tokens-per-doc"] = std::to_string(flags_.max_text_tokens);
    if (decoder.top_n) (*conditions)["top-n"] = std::to_string(*decoder.top_n);
    if (decoder.deadline_ms) (*conditions)["deadline-ms"] = std::to_string(*decoder.deadline_ms);
    return conditions;
  }

  std::optional<std::size_t> budget_of_prompt() const {
    if (rank_options_.budget && takes_budget(rank_options_.decoder)) return rank_options_.budget;
    return rank_options_.decoder == DecoderKind::kRsd ? std::optional(kDefaultBudget)
                                                      : std::nullopt;
  }

  std::string described_windows() const {
    const WindowChoice& windows = rank_options_.windows;
    std::string text = windows.method ? std::string(to_string(*windows.method)) : "as needed";
    const auto add = [&](const char* name, const std::optional<std::size_t>& value) {
      if (value) text += std::string(", ") + name + " " + std::to_string(*value);
    };
    add("size", windows.size);
    add("stride", windows.stride);
    add("passes", windows.passes);
    add("pivot", windows.pivot);
    add("pool", windows.pool);
    add("advance", windows.advance);
    return text;
  }

  // What the options for output say together.
  Result<void> check_outputs() const {
    const auto unusable = [](const std::string& message) {
      return Error(ErrorCode::kInvalidArgument, message);
    };
    if (flags_.resume && flags_.output.empty()) return unusable("--resume needs --output");
    if (flags_.resume && !flags_.trace.empty()) {
      return unusable("--trace can't be resumed: it would lack what was ranked before");
    }
    std::vector<std::string> inputs{flags_.requests, flags_.trec.run, flags_.trec.topics};
    inputs.insert(inputs.end(), flags_.trec.corpus.begin(), flags_.trec.corpus.end());
    for (const auto& path : {flags_.output, flags_.trace}) {
      for (const auto& input : inputs) {
        if (same_file(path, input) ||
            (!path.empty() && same_file(OutputFile::partial_path(path), input))) {
          return unusable(path + " can't be both the requests and a result");
        }
      }
    }
    if (same_file(flags_.output, flags_.trace)) {
      return unusable("--output and --trace can't be the same file " + flags_.trace);
    }
    const bool has_space = flags_.tag.find_first_of(" \t\r\n") != std::string::npos;
    if (format_ == AnswerFormat::kTrec && (flags_.tag.empty() || has_space)) {
      return unusable("--tag must be a word without white space, not \"" + flags_.tag + "\"");
    }
    return {};
  }

  Result<void> open_outputs() {
    auto output = ResumableOutput::open(flags_.output, format_, conditions_, kept_);
    if (!output) return output.error();
    output_.emplace(*std::move(output));
    if (flags_.trace.empty()) return {};
    auto trace = OutputFile::open(flags_.trace, format_trace_header(ranker_->llm().model_name()));
    if (!trace) return trace.error();
    trace_.emplace(*std::move(trace));
    return {};
  }

  // A line a window; their numbers are the plan's, whichever ended first.
  std::string traces_of(const Request& request, const Answer& answer) const {
    std::string text;
    for (const RankedPart& part : answer.rounds)
      text += format_trace(trace_of(request, answer.decoder, part));
    return text;
  }

  Result<void> write(const Request& request, const Answer& answer) {
    const auto text = format_answer(format_, request, answer, flags_.tag);
    if (!text) return text.error();
    // Answers and the bar share a terminal: the bar comes back below them.
    if (output_->to_standard_output() && ::isatty(STDOUT_FILENO)) progress_->clear();
    auto written = output_->write(request, *text);
    if (written && trace_) {
      written = trace_->write(traces_of(request, answer));
    }
    output_broken_ = !written;
    return written;
  }

  Result<ExitCode> finish() {
    const std::size_t n_good = n_answered_ + n_kept_;
    if (n_good == 0) {
      if (kept_.requests.empty())
        output_->discard();  // else it belongs to requests that we don't see
      if (trace_) trace_->discard();
      if (n_failed_ > 0) return kInvalidInput;
      return Error(ErrorCode::kInvalidInput, reader_->source() + " holds no requests");
    }
    log_prompt_reuse();
    if (auto done = output_->commit(); !done) return done.error();
    if (trace_) {
      if (auto done = trace_->commit(); !done) return done.error();
    }
    if (n_failed_ == 0) return kSuccess;
    spdlog::warn("{} of {} requests failed", n_failed_, n_failed_ + n_good);
    return kSomeFailed;
  }

  void log_prompt_reuse() const {
    const PromptReuse reuse = ranker_->prompt_reuse();
    if (reuse.n_hits == 0) return;
    spdlog::info("{} of {} prompts began like an earlier one: {} of all {} tokens were known",
                 reuse.n_hits, reuse.n_prompts, reuse.tokens_reused,
                 reuse.tokens_reused + reuse.tokens_encoded);
  }

  const RankFlags& flags_;
  const CommonOptions& common_;
  EngineOptions engine_options_;  // with the model that a remote engine serves
  RankOptions rank_options_;
  Conditions conditions_;
  AnswerFormat format_ = AnswerFormat::kJsonl;
  std::optional<PreviousAnswers> previous_;
  std::optional<RequestReader> reader_;
  std::optional<std::size_t> n_requests_;  // nullopt: not known yet
  std::vector<Error> failed_topics_;       // of the TREC run
  std::optional<Ranker> ranker_;
  std::optional<RankingQueue> queue_;
  std::optional<ResumableOutput> output_;
  std::optional<OutputFile> trace_;
  Clock::time_point read_at_;
  std::size_t n_tickets_ = 0;
  std::map<std::size_t, TakenIn> taken_in_;  // by ticket: answers that aren't written
  KeptAnswers kept_;
  std::optional<ProgressBar> progress_;
  std::size_t n_kept_ = 0;
  std::size_t n_answered_ = 0;
  std::size_t n_failed_ = 0;
  bool output_broken_ = false;
  std::optional<Error> refusal_;  // of all that is left
};

void add_output_options(CLI::App& command, RankFlags& options) {
  const std::string group = "Output";
  command.add_option("--format", options.format, "jsonl, trec or table")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  command.add_option("--tag", options.tag, "The run's name in TREC output")
      ->capture_default_str()
      ->type_name("WORD")
      ->group(group);
  command
      .add_option("--output", options.output,
                  "File for the answers, which appears when all are there; without it stdout")
      ->check(not_empty())
      ->type_name("FILE")
      ->group(group);
  command.add_flag("--resume", options.resume, "Go on where an interrupted --output stopped")
      ->group(group);
  command.add_option("--trace", options.trace, "File for every round's proposal and logits")
      ->check(not_empty())
      ->type_name("FILE")
      ->group(group);
}

}  // namespace

void add_rank_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<RankFlags>();
  CLI::App* command = add_command(app, selected, "rank", "Rank the candidates of each request");
  command->add_option("--requests", options->requests, "Requests, a JSON object a line; - = stdin")
      ->check(not_empty())
      ->type_name("FILE");
  add_trec_options(*command, options->trec);
  add_decoder_options(*command, options->decoder);
  command
      ->add_option(
          "--previous", options->previous,
          "Answers of an earlier run: sd, rsd and exact begin with these rankings, as drafts "
          "in the first encoding")
      ->check(not_empty())
      ->type_name("FILE")
      ->group("Decoding");
  add_window_options(*command, options->windows);
  command
      ->add_option("--max-tokens-per-doc", options->max_text_tokens,
                   "Tokens of a candidate's text that are read, where the context has room for "
                   "two such texts")
      ->check(whole_number(1, kMaxTextTokens))
      ->capture_default_str()
      ->type_name("N")
      ->group("Long lists");
  add_engine_options(*command, options->engine);
  options->engine.cache_ram = 16;
  add_cache_option(*command, options->engine);
  auto& cache = *command->get_option("--cache-ram");
  cache.description(cache.get_description() + ", which is the default with --rpc");
  add_parallel_option(*command, options->engine);
  add_remote_options(*command, options->engine.remote);
  add_output_options(*command, *options);
  command->callback([&selected, options, command] {
    settle_parallel(*command, options->engine);
    settle_cache(*command, options->engine);
    selected.run = [&selected, options]() -> int {
      auto result = RankRun(*options, selected.common).run();
      return result ? *result : fail(result.error());
    };
  });
}

}  // namespace rsd::cli
