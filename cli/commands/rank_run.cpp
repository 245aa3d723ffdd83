#include "commands/rank_run.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace rsd::cli {

Result<ExitCode> RankRun::run() {
  for (const Error& failed : parts_.input.failed_topics())
    note_failure(failed);
  while (true) {
    progress_.show(n_done());
    take_in();
    if (taken_in_.empty()) break;
    for (auto& finished : queue_.step())
      taken_in_.at(finished.ticket).answer = std::move(finished.answer);
    if (auto written = write_finished(); !written) return written.error();
  }
  progress_.clear();
  if (!refusal_) return finish();
  if (n_answered_ == 0 && !parts_.output.kept().is_interrupted) parts_.output.discard();
  return *refusal_;
}

// Takes in requests until the LLM has enough to do. The number of answers that wait for one that
// takes long is limited.
void RankRun::take_in() {
  constexpr std::size_t kWaitingFactor = 4;
  RequestReader& reader = parts_.input.reader();
  while (!refusal_ && queue_.has_place() &&
         taken_in_.size() < kWaitingFactor * parts_.ranker.parallel()) {
    if (queue_.size() > 0 && reader.would_wait()) return;
    auto request = read_next();
    if (!request) return;
    if (auto started = start(*request); !started)
      note_failure(started.error().within(parts_.input.subject(request->id, reader.line())));
  }
}

// The next request without a kept answer. nullopt at the end, or if one is refused.
std::optional<Request> RankRun::read_next() {
  RequestReader& reader = parts_.input.reader();
  while (true) {
    auto request = reader.next();
    read_at_ = Clock::now();
    if (!request) {
      note_failure(request.error());
    } else if (!request->has_value()) {
      return std::nullopt;
    } else {
      const auto kept = parts_.output.has(**request);
      if (!kept) {
        refusal_ = kept.error().within(parts_.input.subject((*request)->id, reader.line()));
        return std::nullopt;
      }
      if (!*kept) return *std::move(request);
      ++n_kept_;
    }
    progress_.show(n_done());
  }
}

Result<void> RankRun::start(const Request& request) {
  RankOptions options = parts_.options;
  if (parts_.previous) options.previous = parts_.previous->draft_for(request);
  auto prepared = parts_.ranker.prepare(request, options, read_at_);
  if (!prepared) return prepared.error();
  if (auto added = queue_.add(n_tickets_, *prepared); !added) return added;
  taken_in_.emplace(n_tickets_++,
                    TakenIn{.request = *std::move(prepared), .line = parts_.input.reader().line()});
  return {};
}

// Writes answers up to the first request without one.
Result<void> RankRun::write_finished() {
  while (!taken_in_.empty() && taken_in_.begin()->second.answer) {
    const TakenIn& done = taken_in_.begin()->second;
    const auto written = write(done);
    if (parts_.output.is_broken()) return written;
    if (!written) {
      const std::string& id = done.request->request().id;
      note_failure(written.error().within(parts_.input.subject(id, done.line)));
    }
    n_answered_ += written ? 1 : 0;
    taken_in_.erase(taken_in_.begin());
  }
  return {};
}

Result<void> RankRun::write(const TakenIn& done) {
  if (!*done.answer) return done.answer->error();
  // Answers and the bar share a terminal: the bar comes back below them.
  if (parts_.output.to_terminal()) progress_.clear();
  return parts_.output.write(done.request->request(), **done.answer);
}

void RankRun::note_failure(const Error& error) {
  progress_.clear();
  spdlog::error("{}", error.message());
  ++n_failed_;
}

Result<ExitCode> RankRun::finish() {
  const std::size_t n_good = n_answered_ + n_kept_;
  if (n_good == 0) {
    // Kept answers belong to requests that are not in this input.
    if (parts_.output.kept().requests.empty()) parts_.output.discard();
    if (n_failed_ > 0) return kInvalidInput;
    return Error(ErrorCode::kInvalidInput, parts_.input.reader().source() + " holds no requests");
  }
  log_prompt_reuse();
  if (auto done = parts_.output.commit(); !done) return done.error();
  if (n_failed_ == 0) return kSuccess;
  spdlog::warn("{} of {} requests failed", n_failed_, n_failed_ + n_good);
  return kSomeFailed;
}

void RankRun::log_prompt_reuse() const {
  const PromptReuse reuse = parts_.ranker.prompt_reuse();
  const std::size_t n_known = reuse.candidates_kept + reuse.candidates_indexed;
  if (n_known + reuse.candidates_encoded > 0) {
    spdlog::info(
        "{} of {} candidates did not go through the LLM: {} were kept, {} in the index; {} blocks "
        "are kept, {} were dropped for others",
        n_known, n_known + reuse.candidates_encoded, reuse.candidates_kept,
        reuse.candidates_indexed, reuse.kept_blocks, reuse.blocks_evicted);
    return;
  }
  if (reuse.n_hits == 0) return;
  spdlog::info("{} of {} prompts began like an earlier one: {} of all {} tokens were known",
               reuse.n_hits, reuse.n_prompts, reuse.tokens_reused,
               reuse.tokens_reused + reuse.tokens_encoded);
}

}  // namespace rsd::cli
