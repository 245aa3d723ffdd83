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
#include "progress.h"
#include "rsd/core/duration.h"
#include "rsd/data/answer_reader.h"
#include "rsd/data/answer_writer.h"
#include "rsd/data/request_reader.h"
#include "rsd/data/resumable_output.h"
#include "rsd/decode/learn_policy.h"
#include "rsd/decode/run.h"
#include "rsd/rank/presentation.h"
#include "rsd/train/episode.h"
#include "rsd/train/hold_out.h"
#include "rsd/window/list_batch.h"
#include "rsd/window/list_request.h"
#include "trec_options.h"
#include "window_flags.h"

namespace rsd::cli {
namespace {

constexpr std::uint64_t kMaxTextTokens = 1'000'000'000;

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

// A request that was taken in: what its answer needs besides the outcome.
struct TakenIn {
  Request request;
  std::size_t line = 0;
  std::shared_ptr<const ListRequest> list;
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
    for (const Error& failed : failed_topics_)
      note_failure(failed);
    while (true) {
      progress_->show(n_done());
      take_in();
      if (taken_in_.empty()) break;
      for (auto& finished : batch_->step()) {
        const std::size_t ticket = finished.ticket;
        taken_in_.at(ticket).finished = std::move(finished);
      }
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
    while (!refusal_ && batch_->has_place() &&
           taken_in_.size() < kWaitingFactor * options_.engine.parallel) {
      if (batch_->size() > 0 && reader_->would_wait()) return;
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
                     options_.output +
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
    auto made = ListRequest::create(request, list_settings(request),
                                    {.builder = engine_->prompts(),
                                     .context_tokens = engine_->llm().context_size(),
                                     .max_items = engine_->llm().max_items()},
                                    Clock::now());
    if (!made) return made.error();
    const auto& list = *made;
    TakenIn taken{
        .request = request, .line = reader_->line(), .list = list, .finished = std::nullopt};
    if (list->needs_llm()) {
      auto run = ListRun::create(list->order(), list->options(), read_at_);
      if (!run) return run.error();
      batch_->add(n_tickets_, {.run = *std::move(run),
                               .prompt = [list](auto items) { return list->prompt(items); },
                               .arrival = read_at_});
    } else {
      taken.finished = {.ticket = n_tickets_, .outcome = list->settled(read_at_, Clock::now())};
    }
    taken_in_.emplace(n_tickets_++, std::move(taken));
    return {};
  }

  ListSettings list_settings(const Request& request) const {
    ListSettings settings{.decoding = decoding_,
                          .budget = options_.decoder.budget,
                          .deadline = std::nullopt,
                          .windows = windows_,
                          .max_text_tokens = options_.max_text_tokens};
    if (previous_) settings.draft = previous_->draft_for(request);
    if (options_.decoder.deadline_ms) {
      settings.deadline = read_at_ + duration_of_ms(*options_.decoder.deadline_ms);
    }
    return settings;
  }

  // The answers that are there, up to the first that isn't.
  Result<void> write_finished() {
    while (!taken_in_.empty() && taken_in_.begin()->second.finished) {
      TakenIn& done = taken_in_.begin()->second;
      Result<ListOutcome>& outcome = done.finished->outcome;
      if (outcome && done.list->needs_llm()) done.list->complete(*outcome);
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
    windows_ = *choice;
    if (auto sensible = window_options(windows_, options_.decoder.top_n); !sensible)
      return sensible.error();
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
      auto kept = read_kept_answers(options_.output, format_, conditions_);
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
      n_requests_ = lines->n_requests + lines->failures.size();
      failed_topics_ = std::move(lines->failures);
      reader_.emplace(std::make_unique<std::istringstream>(std::move(lines->text)),
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
    (*told)["max-tokens-per-doc"] = std::to_string(options_.max_text_tokens);
    if (decoder.top_n) (*told)["top-n"] = std::to_string(*decoder.top_n);
    if (decoder.deadline_ms) (*told)["deadline-ms"] = std::to_string(*decoder.deadline_ms);
    return told;
  }

  std::string told_windows() const {
    std::string told = windows_.method ? std::string(to_string(*windows_.method)) : "as needed";
    const auto tell = [&](const char* name, const std::optional<std::size_t>& value) {
      if (value) told += std::string(", ") + name + " " + std::to_string(*value);
    };
    tell("size", windows_.size);
    tell("stride", windows_.stride);
    tell("passes", windows_.passes);
    tell("pivot", windows_.pivot);
    tell("pool", windows_.pool);
    tell("advance", windows_.advance);
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
    auto output = ResumableOutput::open(options_.output, format_, conditions_, kept_);
    if (!output) return output.error();
    output_.emplace(*std::move(output));
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
                  .truncated_candidates =
                      done.list->truncated_candidates() + done.finished->truncated_candidates,
                  .truncated_query = done.list->truncated_query(),
                  .deadline_hit = outcome.deadline_hit,
                  .prefill_ms = outcome.timing.prefill_ms,
                  .decode_ms = outcome.timing.decode_ms,
                  .agent_ms = outcome.timing.agent_ms,
                  .total_ms = outcome.timing.total_ms,
                  .windows = std::nullopt};
    if (!done.list->in_windows()) return answer;
    const WindowOptions& windows = done.list->options().windows;
    answer.windows = {.count = list.n_windows,
                      .confirmed_prefix = list.confirmed_prefix,
                      .size = windows.size,
                      .method = std::string(to_string(windows.method))};
    return answer;
  }

  // A line a window; those of a list that was ranked in windows are told apart by their numbers,
  // which are those of the plan, whichever ended first.
  std::string traces_of(const TakenIn& done) const {
    std::map<std::size_t, std::string> lines;
    for (const ListBatch::Decoded& window : done.finished->windows) {
      Trace trace = trace_of(presented(done.list->shown(), window.items), options_.decoder.decoder,
                             window.decoding.history(), window.outcome.ranking);
      if (done.list->in_windows()) trace.window = window.number + 1;
      trace.split_key = split_key(done.request);  // of the whole query, also where it was cut
      lines.emplace(window.number, format_trace(trace));
    }
    std::string text;
    for (const auto& [number, line] : lines)
      text += line;
    return text;
  }

  Result<void> write(const TakenIn& done, const ListOutcome& list) {
    const Request& request = done.request;
    const Answer answer = answer_of(done, list);
    const auto text = format_answer(format_, request, answer, options_.tag);
    if (!text) return text.error();
    // Answers and the bar share a terminal: the bar comes back below them.
    if (output_->to_standard_output() && ::isatty(STDOUT_FILENO)) progress_->clear();
    auto written = output_->write(request, *text);
    if (written && trace_) {
      written = trace_->write(traces_of(done));
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
    tell_prompt_reuse();
    if (auto done = output_->commit(); !done) return done.error();
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

  const RankOptions& options_;
  const CommonOptions& common_;
  EngineOptions engine_options_;  // with what a remote engine says of its model
  DecodingOptions decoding_;
  Conditions conditions_;
  AnswerFormat format_ = AnswerFormat::kJsonl;
  std::optional<PreviousAnswers> previous_;
  std::optional<RequestReader> reader_;
  std::optional<std::size_t> n_requests_;  // nullopt: not known yet
  std::vector<Error> failed_topics_;       // of the TREC run
  std::optional<Engine> engine_;
  std::optional<ResumableOutput> output_;
  std::optional<OutputFile> trace_;
  CostModel costs_;
  WindowChoice windows_;
  std::optional<ListBatch> batch_;
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
