#include "rank_command.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "decoder_options.h"
#include "engine_options.h"
#include "exit_code.h"
#include "learn_costs.h"
#include "option_checks.h"
#include "output_file.h"
#include "previous_answers.h"
#include "progress.h"
#include "resume.h"
#include "rsd/data/answer_writer.h"
#include "rsd/data/request_reader.h"
#include "rsd/decode/batch_run.h"
#include "rsd/decode/run.h"
#include "rsd/train/episode.h"

namespace rsd::cli {
namespace {

struct RankOptions {
  EngineOptions engine;
  DecoderOptions decoder;
  std::string requests;
  std::string previous;
  std::string format = "jsonl";
  std::string tag = "rsd";
  std::string output;
  bool resume = false;
  std::string trace;
};

std::optional<std::size_t> count_lines(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) ++count;
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

// A request that was taken in: what its answer needs besides the outcome.
struct TakenIn {
  Request request;
  std::size_t line = 0;
  Clock::time_point start;    // it was read
  Clock::time_point started;  // its decoding began
  std::size_t truncated_candidates = 0;
  std::optional<BatchRun::Finished> finished;
};

// Ranks the requests of one file, as many at a time as --parallel says, and writes the answers in
// the order of the requests.
class RankRun {
 public:
  RankRun(const RankOptions& options, const CommonOptions& common)
      : options_(options), common_(common) {}

  Result<ExitCode> run() {
    if (auto prepared = prepare(); !prepared) return prepared.error();
    progress_.emplace("requests", count_lines(options_.requests));
    while (true) {
      progress_->show(n_done());
      take_in();
      if (batch_->size() == 0) break;
      for (auto& finished : batch_->step()) {
        const std::size_t ticket = finished.ticket;
        taken_in_.at(ticket).finished = std::move(finished);
      }
      if (auto written = write_finished(); !written) return written.error();
    }
    progress_.reset();
    return finish();
  }

 private:
  std::size_t n_done() const { return n_kept_ + n_answered_ + n_failed_; }

  // Requests, until the LLM has enough to do, or their answers would wait in too great a number for
  // one that takes long.
  void take_in() {
    constexpr std::size_t kWaitingFactor = 4;
    while (batch_->size() < options_.engine.parallel &&
           taken_in_.size() < kWaitingFactor * options_.engine.parallel) {
      const bool others = batch_->size() > 0;
      if (!next_) {
        if (others && reader_->would_wait()) return;
        if (!read_next()) return;
        next_prompt_.emplace(engine_->prompts().build(*next_, engine_->llm().context_size()));
      }
      // What has no room waits until others have ended; alone it has.
      if (others && *next_prompt_ && !engine_->llm().has_room(**next_prompt_)) return;
      const Request request = *std::exchange(next_, std::nullopt);
      if (auto started = start(request, std::move(*next_prompt_)); !started)
        note_failure(started.error().within(subject(request.id, reader_->line())));
    }
  }

  // False at the end of the requests.
  bool read_next() {
    while (true) {
      auto request = reader_->next();
      read_at_ = Clock::now();
      if (!request) {
        note_failure(request.error());
      } else if (!request->has_value()) {
        return false;
      } else if (kept_.ids.contains((*request)->id)) {
        ++n_kept_;
      } else {
        next_ = std::move(*request);
        return true;
      }
      progress_->show(n_done());
    }
  }

  Result<void> start(const Request& request, Result<Prompt> prompt) {
    if (!prompt) return prompt.error();
    const std::size_t truncated_candidates = prompt->truncated_candidates;
    auto scorer = engine_->llm().open(*std::move(prompt));
    if (!scorer) return scorer.error();
    DecodingOptions wanted = decoding_;
    if (previous_) wanted.first_proposal = previous_->draft_for(request);
    auto decoding = Decoding::create(request.candidates.size(), std::move(wanted));
    if (!decoding) return decoding.error();
    std::optional<Clock::time_point> deadline;
    if (options_.decoder.deadline_ms) {
      deadline =
          read_at_ + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double, std::milli>(*options_.decoder.deadline_ms));
    }
    batch_->add(n_tickets_, *std::move(decoding), *std::move(scorer), {.deadline = deadline});
    taken_in_.emplace(n_tickets_++, TakenIn{.request = request,
                                            .line = reader_->line(),
                                            .start = read_at_,
                                            .started = Clock::now(),
                                            .truncated_candidates = truncated_candidates});
    return {};
  }

  // The answers that are there, up to the first that isn't.
  Result<void> write_finished() {
    while (!taken_in_.empty() && taken_in_.begin()->second.finished) {
      TakenIn& done = taken_in_.begin()->second;
      Result<Outcome>& outcome = done.finished->outcome;
      Result<void> written = outcome ? write(done, *outcome) : Result<void>(outcome.error());
      if (output_broken_) return written;
      if (!written) note_failure(written.error().within(subject(done.request.id, done.line)));
      n_answered_ += written ? 1 : 0;
      taken_in_.erase(taken_in_.begin());
    }
    return {};
  }

  std::string subject(const std::string& id, std::size_t line) const {
    return reader_->source() + ":" + std::to_string(line) + ": request \"" + id + "\"";
  }

  void note_failure(const Error& error) {
    progress_->clear();
    spdlog::error("{}", error.message());
    ++n_failed_;
  }

  // Everything that can be wrong is found before the model is loaded, the model before any output.
  Result<void> prepare() {
    auto decoding = decoding_options(options_.decoder);
    if (!decoding) return decoding.error();
    decoding_ = *std::move(decoding);
    auto format = parse_answer_format(options_.format);
    if (!format) return format.error();
    format_ = *format;
    if (auto sensible = check_outputs(); !sensible) return sensible.error();
    auto reader = RequestReader::open(options_.requests);
    if (!reader) return reader.error();
    reader_.emplace(*std::move(reader));
    if (!options_.previous.empty()) {
      auto previous = PreviousAnswers::read(options_.previous);
      if (!previous) return previous.error();
      previous_ = *std::move(previous);
    }
    auto conditions = conditions_of_run();
    if (!conditions) return conditions.error();
    conditions_ = *std::move(conditions);
    if (options_.resume) {
      auto kept = read_kept({.path = options_.output,
                             .format = format_,
                             .decoder = options_.decoder.decoder,
                             .budget = decoding_.budget,
                             .conditions = conditions_});
      if (!kept) return kept.error();
      kept_ = *std::move(kept);
    }
    auto engine = Engine::load(options_.engine, common_);
    if (!engine) return engine.error();
    engine_.emplace(*std::move(engine));
    batch_.emplace(engine_->llm(), &costs_);
    if (options_.decoder.deadline_ms) {
      if (auto done = learn_costs(*engine_, costs_); !done) return done;
    }
    return open_outputs();
  }

  Result<Conditions> conditions_of_run() const {
    auto told = engine_conditions(options_.engine);
    if (!told) return told;
    const DecoderOptions& decoder = options_.decoder;
    (*told)["decoder"] = decoder.decoder;
    (*told)["draft"] = decoder.draft;
    (*told)["policy"] = std::string(decoding_.policy ? decoding_.policy->name() : "");
    if (decoding_.policy) {
      for (const auto& agent : agent_files(listed(decoder.policy), listed(decoder.agent)))
        (*told)["agent"] = identity_of(agent);
    }
    if (decoding_.budget) (*told)["budget"] = std::to_string(*decoding_.budget);
    if (!options_.previous.empty()) (*told)["previous"] = identity_of(options_.previous);
    if (decoder.top_n) (*told)["top-n"] = std::to_string(*decoder.top_n);
    if (decoder.deadline_ms) (*told)["deadline-ms"] = std::to_string(*decoder.deadline_ms);
    return told;
  }

  // What the options for output say together.
  Result<void> check_outputs() const {
    const auto unusable = [](const std::string& message) {
      return Error(ErrorCode::kInvalidArgument, message);
    };
    if (options_.resume && options_.output.empty()) return unusable("--resume needs --output");
    if (options_.resume && !options_.trace.empty()) {
      return unusable("--trace can't be resumed: it would lack what was ranked before");
    }
    for (const auto& path : {options_.output, options_.trace}) {
      if (same_file(path, options_.requests) ||
          (!path.empty() && same_file(OutputFile::partial_path(path), options_.requests))) {
        return unusable(path + " can't be both the requests and a result");
      }
    }
    if (same_file(options_.output, options_.trace)) {
      return unusable("--output and --trace can't be the same file " + options_.trace);
    }
    const bool has_space = options_.tag.find_first_of(" \t\r\n") != std::string::npos;
    if (format_ == AnswerFormat::kTrec && (options_.tag.empty() || has_space)) {
      return unusable("--tag must be a word without white space, not \"" + options_.tag + "\"");
    }
    return {};
  }

  Result<void> open_outputs() {
    auto output = OutputFile::open(options_.output, kept_.text);
    if (!output) return output.error();
    output_.emplace(*std::move(output));
    if (!options_.output.empty()) {
      if (auto told = write_conditions(options_.output, conditions_); !told) return told;
    }
    if (options_.trace.empty()) return {};
    auto trace = OutputFile::open(options_.trace, format_trace_header(engine_->llm().model_name()));
    if (!trace) return trace.error();
    trace_.emplace(*std::move(trace));
    return {};
  }

  Result<void> write(const TakenIn& done, const Outcome& outcome) {
    const Request& request = done.request;
    const Decoding& decoding = done.finished->decoding;
    // The prompt is rendered and tokenised before the decoding's clock starts.
    const double rendering_ms =
        std::chrono::duration<double, std::milli>(done.started - done.start).count();
    const Answer answer{.ranking = outcome.ranking,
                        .decoder = options_.decoder.decoder,
                        .budget = decoding.budget(),
                        .encodings = outcome.encodings,
                        .verified_prefix = outcome.verified_prefix,
                        .tokens_encoded = outcome.tokens_encoded,
                        .truncated_candidates = done.truncated_candidates,
                        .deadline_hit = outcome.deadline_hit,
                        .prefill_ms = outcome.timing.prefill_ms,
                        .decode_ms = outcome.timing.decode_ms,
                        .agent_ms = outcome.timing.agent_ms,
                        .total_ms = rendering_ms + outcome.timing.total_ms};
    const auto text = format_answer(format_, request, answer, options_.tag);
    if (!text) return text.error();
    // Answers and the bar share a terminal: the bar comes back below them.
    if (output_->to_standard_output() && ::isatty(STDOUT_FILENO)) progress_->clear();
    auto written = output_->write(*text);
    if (written && trace_) {
      written = trace_->write(format_trace(
          trace_of(request, options_.decoder.decoder, decoding.history(), outcome.ranking)));
    }
    output_broken_ = !written;
    return written;
  }

  Result<ExitCode> finish() {
    const std::size_t n_good = n_answered_ + n_kept_;
    if (n_good == 0) {
      if (kept_.ids.empty()) discard();  // else it belongs to requests that we don't see
      if (trace_) trace_->discard();
      if (n_failed_ > 0) return kInvalidInput;
      return Error(ErrorCode::kInvalidInput, reader_->source() + " holds no requests");
    }
    tell_prompt_reuse();
    if (auto done = output_->commit(); !done) return done.error();
    remove_conditions(options_.output);
    if (trace_) {
      if (auto done = trace_->commit(); !done) return done.error();
    }
    if (n_failed_ == 0) return kSuccess;
    spdlog::warn("{} of {} requests failed", n_failed_, n_failed_ + n_good);
    return kSomeFailed;
  }

  void tell_prompt_reuse() const {
    const PromptReuse reuse = engine_->llm().prompt_reuse();
    if (reuse.n_hits == 0) return;
    spdlog::info("{} of {} prompts began like an earlier one: {} of all {} tokens were known",
                 reuse.n_hits, reuse.n_prompts, reuse.tokens_reused,
                 reuse.tokens_reused + reuse.tokens_encoded);
  }

  void discard() {
    output_->discard();
    remove_conditions(options_.output);
  }

  const RankOptions& options_;
  const CommonOptions& common_;
  DecodingOptions decoding_;
  Conditions conditions_;
  AnswerFormat format_ = AnswerFormat::kJsonl;
  std::optional<PreviousAnswers> previous_;
  std::optional<RequestReader> reader_;
  std::optional<Engine> engine_;
  std::optional<OutputFile> output_;
  std::optional<OutputFile> trace_;
  CostModel costs_;
  std::optional<BatchRun> batch_;
  std::optional<Request> next_;  // read, but not taken in
  std::optional<Result<Prompt>> next_prompt_;
  Clock::time_point read_at_;
  std::size_t n_tickets_ = 0;
  std::map<std::size_t, TakenIn> taken_in_;  // by ticket: answers that aren't written
  Kept kept_;
  std::optional<ProgressBar> progress_;
  std::size_t n_kept_ = 0;
  std::size_t n_answered_ = 0;
  std::size_t n_failed_ = 0;
  bool output_broken_ = false;
};

void add_output_options(CLI::App& command, RankOptions& options) {
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
  auto options = std::make_shared<RankOptions>();
  CLI::App* command = add_command(app, selected, "rank", "Rank the candidates of each request");
  command->add_option("--requests", options->requests, "Requests, a JSON object a line; - = stdin")
      ->required()
      ->check(not_empty())
      ->type_name("FILE");
  add_decoder_options(*command, options->decoder);
  command
      ->add_option(
          "--previous", options->previous,
          "Answers of an earlier run: sd, rsd and exact begin with these rankings, as drafts "
          "in the first encoding")
      ->check(not_empty())
      ->type_name("FILE")
      ->group("Decoding");
  add_engine_options(*command, options->engine);
  options->engine.cache_ram = 16;
  add_cache_option(*command, options->engine);
  add_parallel_option(*command, options->engine);
  add_remote_options(*command, options->engine.remote);
  add_output_options(*command, *options);
  command->callback([&selected, options, command] {
    settle_parallel(*command, options->engine);
    selected.run = [&selected, options]() -> int {
      auto result = RankRun(*options, selected.common).run();
      return result ? *result : fail(result.error());
    };
  });
}

}  // namespace rsd::cli
