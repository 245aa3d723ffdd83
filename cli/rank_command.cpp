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
#include <sstream>
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
#include "rsd/core/duration.h"
#include "rsd/data/answer_writer.h"
#include "rsd/data/request_reader.h"
#include "rsd/decode/learn_policy.h"
#include "rsd/decode/run.h"
#include "rsd/rank/presentation.h"
#include "rsd/train/episode.h"
#include "rsd/window/list_batch.h"
#include "trec_options.h"
#include "window_flags.h"

namespace rsd::cli {
namespace {

struct RankOptions {
  EngineOptions engine;
  DecoderOptions decoder;
  WindowFlags windows;
  std::string requests;
  TrecFiles trec;  // in their place
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
  bool in_windows = false;
  std::optional<ListBatch::Finished> finished;
};

// Ranks the requests of one file, as many at a time as --parallel says, and writes the answers in
// the order of the requests.
class RankRun {
 public:
  RankRun(const RankOptions& options, const CommonOptions& common)
      : options_(options), common_(common) {}

  Result<ExitCode> run() {
    if (auto prepared = prepare(); !prepared) return prepared.error();
    progress_.emplace("requests", n_requests_);
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
    while (batch_->has_place() && taken_in_.size() < kWaitingFactor * options_.engine.parallel) {
      if (batch_->size() > 0 && reader_->would_wait()) return;
      auto request = read_next();
      if (!request) return;
      if (auto started = start(*request); !started)
        note_failure(started.error().within(subject(request->id, reader_->line())));
    }
  }

  // nullopt at the end of the requests.
  std::optional<Request> read_next() {
    while (true) {
      auto request = reader_->next();
      read_at_ = Clock::now();
      if (!request) {
        note_failure(request.error());
      } else if (!request->has_value()) {
        return std::nullopt;
      } else if (kept_.ids.contains((*request)->id)) {
        ++n_kept_;
      } else {
        return *std::move(request);
      }
      progress_->show(n_done());
    }
  }

  Result<Prompt> prompt_of(const Request& request) const {
    return engine_->prompts().build(request, engine_->llm().context_size());
  }

  Result<void> start(const Request& request) {
    const std::size_t n_items = request.candidates.size();
    const bool is_long = n_items > windows_.size;
    auto whole = is_long && options_.windows.choice.size
                     ? Result<std::optional<Prompt>>(std::optional<Prompt>())
                     : whole_prompt(is_long, prompt_of(request), engine_->llm().max_items());
    if (!whole) return whole.error();
    const bool in_windows = !whole->has_value();
    const auto previous = previous_ ? previous_->draft_for(request) : std::nullopt;
    const bool begins_with_it = in_windows && previous;
    auto run = ListRun::create(begins_with_it ? *previous : Ranking::identity(n_items),
                               list_options(n_items, in_windows, previous), read_at_);
    if (!run) return run.error();
    auto prompt = [this, request,
                   prompt = *std::move(whole)](std::span<const ItemId> items) mutable {
      if (prompt) return Result<Prompt>(*std::exchange(prompt, std::nullopt));
      return prompt_of(presented(request, items));
    };
    batch_->add(n_tickets_,
                {.run = *std::move(run), .prompt = std::move(prompt), .arrival = read_at_});
    taken_in_.emplace(n_tickets_++, TakenIn{.request = request,
                                            .line = reader_->line(),
                                            .in_windows = in_windows,
                                            .finished = std::nullopt});
    return {};
  }

  ListOptions list_options(std::size_t n_items, bool in_windows,
                           const std::optional<Ranking>& previous) const {
    ListOptions list{.windows = windows_,
                     .decoding = decoding_,
                     .budget = options_.decoder.budget,
                     .deadline = std::nullopt};
    if (!in_windows) {
      list.windows.size = std::max(list.windows.size, n_items);
      list.decoding.first_proposal = previous;
    }
    if (options_.decoder.deadline_ms) {
      list.deadline = read_at_ + duration_of_ms(*options_.decoder.deadline_ms);
    }
    return list;
  }

  // The answers that are there, up to the first that isn't.
  Result<void> write_finished() {
    while (!taken_in_.empty() && taken_in_.begin()->second.finished) {
      TakenIn& done = taken_in_.begin()->second;
      Result<ListOutcome>& outcome = done.finished->outcome;
      Result<void> written = outcome ? write(done, *outcome) : Result<void>(outcome.error());
      if (output_broken_) return written;
      if (!written) note_failure(written.error().within(subject(done.request.id, done.line)));
      n_answered_ += written ? 1 : 0;
      taken_in_.erase(taken_in_.begin());
    }
    return {};
  }

  std::string subject(const std::string& id, std::size_t line) const {
    if (options_.requests.empty()) return options_.trec.run + ": topic \"" + id + "\"";
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
    if (!options_.trace.empty()) decoding_.n_recent = kEveryRound;
    auto format = parse_answer_format(options_.format);
    if (!format) return format.error();
    format_ = *format;
    auto choice = window_choice(options_.windows);
    if (!choice) return choice.error();
    auto windows = window_options(*choice, options_.decoder.top_n);
    if (!windows) return windows.error();
    windows_ = *windows;
    if (auto sensible = check_outputs(); !sensible) return sensible.error();
    if (auto opened = open_requests(); !opened) return opened.error();
    if (!options_.previous.empty()) {
      auto previous = PreviousAnswers::read(options_.previous);
      if (!previous) return previous.error();
      previous_ = *std::move(previous);
    }
    auto served = with_served_model(options_.engine);
    if (!served) return served.error();
    engine_options_ = *std::move(served);
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
    auto engine = Engine::load(engine_options_, common_);
    if (!engine) return engine.error();
    engine_.emplace(*std::move(engine));
    LlmEngine& llm = engine_->llm();
    batch_.emplace(
        llm,
        ScorerOpener{.has_room = [&llm](const Prompt& next) { return llm.has_room(next); },
                     .open = [&llm](Prompt next) { return llm.open(std::move(next)); },
                     .parallel = options_.engine.parallel},
        &costs_);
    if (options_.decoder.deadline_ms) {
      if (auto done = learn_costs(*engine_, costs_); !done) return done;
      if (decoding_.policy) learn_policy(*decoding_.policy, costs_);
    }
    return open_outputs();
  }

  Result<void> open_requests() {
    if (auto usable = check(options_.trec); !usable) return usable.error();
    if (!options_.requests.empty() && !options_.trec.run.empty())
      return Error(ErrorCode::kInvalidArgument, "--requests and --run exclude each other");
    if (options_.requests.empty() && options_.trec.run.empty()) {
      return Error(ErrorCode::kInvalidArgument,
                   "--requests is required, or --run, --topics and --corpus");
    }
    if (options_.requests.empty()) {
      auto lines = trec_request_lines(options_.trec);
      if (!lines) return lines.error();
      n_requests_ = static_cast<std::size_t>(std::ranges::count(*lines, '\n'));
      reader_.emplace(std::make_unique<std::istringstream>(*std::move(lines)),
                      options_.trec.run + " as requests");
      return {};
    }
    n_requests_ = count_lines(options_.requests);
    auto reader = RequestReader::open(options_.requests);
    if (!reader) return reader.error();
    reader_.emplace(*std::move(reader));
    return {};
  }

  Result<Conditions> conditions_of_run() const {
    auto told = engine_conditions(engine_options_);
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
    (*told)["windows"] = told_windows();
    if (decoder.top_n) (*told)["top-n"] = std::to_string(*decoder.top_n);
    if (decoder.deadline_ms) (*told)["deadline-ms"] = std::to_string(*decoder.deadline_ms);
    return told;
  }

  std::string told_windows() const {
    std::string size = (options_.windows.choice.size ? "" : "as needed: ") +
                       std::to_string(windows_.size) + ", " +
                       std::string(to_string(windows_.method));
    switch (windows_.method) {
      case WindowMethod::kSliding:
        return size + " by " + std::to_string(windows_.stride) + " x " +
               std::to_string(windows_.passes);
      case WindowMethod::kTournament:
        return size + " of " + std::to_string(windows_.advance);
      case WindowMethod::kTopDown:
      case WindowMethod::kCalibrated:
        return size + (windows_.pivot ? " from " + std::to_string(*windows_.pivot) : "") +
               (windows_.pool ? " of " + std::to_string(*windows_.pool) : "");
    }
    return size;
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
    std::vector<std::string> inputs{options_.requests, options_.trec.run, options_.trec.topics};
    inputs.insert(inputs.end(), options_.trec.corpus.begin(), options_.trec.corpus.end());
    for (const auto& path : {options_.output, options_.trace}) {
      for (const auto& input : inputs) {
        if (same_file(path, input) ||
            (!path.empty() && same_file(OutputFile::partial_path(path), input))) {
          return unusable(path + " can't be both the requests and a result");
        }
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

  Answer answer_of(const TakenIn& done, const ListOutcome& list) const {
    const Outcome& outcome = list.outcome;
    Answer answer{.ranking = outcome.ranking,
                  .decoder = options_.decoder.decoder,
                  .budget = list.budget,
                  .encodings = outcome.encodings,
                  .verified_prefix = outcome.verified_prefix,
                  .tokens_encoded = outcome.tokens_encoded,
                  .truncated_candidates = done.finished->truncated_candidates,
                  .deadline_hit = outcome.deadline_hit,
                  .prefill_ms = outcome.timing.prefill_ms,
                  .decode_ms = outcome.timing.decode_ms,
                  .agent_ms = outcome.timing.agent_ms,
                  .total_ms = outcome.timing.total_ms,
                  .windows = std::nullopt};
    if (!done.in_windows) return answer;
    answer.windows = {.count = list.n_windows, .confirmed_prefix = list.confirmed_prefix};
    return answer;
  }

  // A line a window; those of a list that was ranked in windows are told apart by a number.
  std::string traces_of(const TakenIn& done) const {
    std::string lines;
    for (std::size_t n = 0; n < done.finished->windows.size(); ++n) {
      const ListBatch::Decoded& window = done.finished->windows[n];
      Request part = presented(done.request, window.items);
      if (done.in_windows) part.id += "/" + std::to_string(n + 1);
      lines += format_trace(trace_of(part, options_.decoder.decoder, window.decoding.history(),
                                     window.outcome.ranking));
    }
    return lines;
  }

  Result<void> write(const TakenIn& done, const ListOutcome& list) {
    const Request& request = done.request;
    const Answer answer = answer_of(done, list);
    const auto text = format_answer(format_, request, answer, options_.tag);
    if (!text) return text.error();
    // Answers and the bar share a terminal: the bar comes back below them.
    if (output_->to_standard_output() && ::isatty(STDOUT_FILENO)) progress_->clear();
    auto written = output_->write(*text);
    if (written && trace_) {
      written = trace_->write(traces_of(done));
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
  EngineOptions engine_options_;  // with what a remote engine says of its model
  DecodingOptions decoding_;
  Conditions conditions_;
  AnswerFormat format_ = AnswerFormat::kJsonl;
  std::optional<PreviousAnswers> previous_;
  std::optional<RequestReader> reader_;
  std::optional<std::size_t> n_requests_;  // nullopt: not known yet
  std::optional<Engine> engine_;
  std::optional<OutputFile> output_;
  std::optional<OutputFile> trace_;
  CostModel costs_;
  WindowOptions windows_;
  std::optional<ListBatch> batch_;
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
