#include "jobs/rank_run.h"

#include <utility>

#include "rsd/core/log_to.h"

namespace rsd {

Result<RankFileReport> RankRun::run() {
  for (const Error& failed : parts_.input.failed_topics())
    note_failure(failed);
  while (true) {
    show_progress();
    take_in();
    if (taken_in_.empty()) break;
    for (auto& finished : queue_.step())
      taken_in_.at(finished.ticket).answer = std::move(finished.answer);
    if (auto written = write_finished(); !written) return written.error();
  }
  if (!refusal_) return finish();
  if (report_.n_answered == 0 && !parts_.output.kept().is_interrupted) parts_.output.discard();
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
      ++report_.n_kept;
    }
    show_progress();
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
    report_.n_answered += written ? 1 : 0;
    taken_in_.erase(taken_in_.begin());
  }
  return {};
}

Result<void> RankRun::write(const TakenIn& done) {
  if (!*done.answer) return done.answer->error();
  if (parts_.output.to_standard_output() && parts_.seams.before_output)
    parts_.seams.before_output();
  return parts_.output.write(done.request->request(), **done.answer);
}

void RankRun::note_failure(const Error& error) {
  log_to(parts_.seams.log, LogLevel::kError, error.message());
  ++report_.n_failed;
}

Result<RankFileReport> RankRun::finish() {
  const std::size_t n_good = report_.n_answered + report_.n_kept;
  if (n_good == 0) {
    // Kept answers belong to requests that are not in this input.
    if (parts_.output.kept().requests.empty()) parts_.output.discard();
    if (report_.n_failed > 0) return report_;
    return Error(ErrorCode::kInvalidInput, parts_.input.reader().source() + " holds no requests");
  }
  log_prompt_reuse();
  if (auto done = parts_.output.commit(); !done) return done.error();
  if (report_.n_failed > 0) {
    log_to(parts_.seams.log, LogLevel::kWarning,
           std::to_string(report_.n_failed) + " of " + std::to_string(report_.n_failed + n_good) +
               " requests failed");
  }
  return report_;
}

void RankRun::log_prompt_reuse() const {
  const PromptReuse reuse = parts_.ranker.prompt_reuse();
  const std::size_t n_known = reuse.candidates_kept + reuse.candidates_indexed;
  if (n_known + reuse.candidates_encoded > 0) {
    log_to(parts_.seams.log, LogLevel::kInfo,
           std::to_string(n_known) + " of " + std::to_string(n_known + reuse.candidates_encoded) +
               " candidates did not go through the LLM: " + std::to_string(reuse.candidates_kept) +
               " were kept, " + std::to_string(reuse.candidates_indexed) + " in the index; " +
               std::to_string(reuse.kept_blocks) + " blocks are kept, " +
               std::to_string(reuse.blocks_evicted) + " were dropped for others");
    return;
  }
  if (reuse.n_hits == 0) return;
  const std::size_t n_tokens = reuse.tokens_reused + reuse.tokens_encoded;
  log_to(parts_.seams.log, LogLevel::kInfo,
         std::to_string(reuse.n_hits) + " of " + std::to_string(reuse.n_prompts) +
             " prompts began like an earlier one: " + std::to_string(reuse.tokens_reused) +
             " of all " + std::to_string(n_tokens) + " tokens were known");
}

void RankRun::show_progress() const {
  if (!parts_.seams.on_progress) return;
  parts_.seams.on_progress("requests", report_.n_kept + report_.n_answered + report_.n_failed,
                           parts_.input.n_requests());
}

}  // namespace rsd
