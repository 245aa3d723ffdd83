#include "bindings/c/answer_object.h"

#include <span>
#include <string>
#include <utility>

#include "bindings/c/error_object.h"
#include "bindings/c/sized_struct.h"

namespace rsd::bindings {
namespace {

rsd_answer_info info_of(const Answer& answer) {
  rsd_answer_info info{.struct_size = sizeof(rsd_answer_info)};
  info.decoder = answer.decoder.c_str();
  info.budget = answer.budget.value_or(0);
  info.encodings = answer.encodings;
  info.verified_prefix = answer.verified_prefix;
  info.prompt_tokens = answer.prompt_tokens;
  info.tokens_encoded = answer.tokens_encoded;
  info.tokens_reused = answer.tokens_reused;
  info.truncated_candidates = answer.truncated_candidates;
  info.truncated_query = answer.truncated_query ? 1 : 0;
  info.deadline_hit = answer.deadline_hit ? 1 : 0;
  info.relevance_is_probability = answer.relevance_is_probability ? 1 : 0;
  const auto none = none_relevant(answer);
  info.none_relevant = none ? static_cast<int>(*none) : -1;
  info.prefill_ms = answer.prefill_ms;
  info.decode_ms = answer.decode_ms;
  info.agent_ms = answer.agent_ms;
  info.total_ms = answer.total_ms;
  if (answer.windows) {
    info.n_windows = answer.windows->count;
    info.window_size = answer.windows->size;
    info.confirmed_prefix = answer.windows->confirmed_prefix;
    info.window_method = answer.windows->method.c_str();
  }
  return info;
}

const Round& round_at(const rsd_answer& answer, const rsd_answer::RoundPlace& place) {
  return answer.answer.rounds[place.part].history.rounds()[place.round];
}

rsd_round round_of(const rsd_answer& answer, const rsd_answer::RoundPlace& place) {
  const RankedPart& part = answer.answer.rounds[place.part];
  const Round& from = round_at(answer, place);
  return {.struct_size = sizeof(rsd_round),
          .window = part.window,
          .n_items = part.items.size(),
          .items = answer.part_items[place.part].data(),
          .n_proposed = place.proposal.size(),
          .proposal = place.proposal.data(),
          .accepted = from.accepted,
          .known = from.known,
          .n_rows = from.logits.n_kept(),
          .ms = place.round < part.round_ms.size() ? part.round_ms[place.round] : 0};
}

std::vector<std::size_t> indices_of(std::span<const ItemId> items) {
  std::vector<std::size_t> indices;
  indices.reserve(items.size());
  for (const ItemId item : items)
    indices.push_back(item.slot());
  return indices;
}

const double* values_or_null(const std::vector<double>& values) {
  return values.empty() ? nullptr : values.data();
}

}  // namespace
}  // namespace rsd::bindings

rsd_answer::rsd_answer(rsd::Answer given, std::vector<std::string> candidate_ids)
    : answer(std::move(given)), ids(std::move(candidate_ids)) {
  order = rsd::bindings::indices_of(answer.ranking.items());
  for (const rsd::Position position : rsd::listed_positions(answer))
    listed.push_back(position.slot());
  for (std::size_t p = 0; p < answer.rounds.size(); ++p) {
    const rsd::RankedPart& part = answer.rounds[p];
    part_items.push_back(rsd::bindings::indices_of(part.items));
    for (std::size_t r = 0; r < part.history.rounds().size(); ++r) {
      RoundPlace place{.part = p, .round = r};
      for (const rsd::ItemId item : part.history.rounds()[r].proposal)
        place.proposal.push_back(part_items.back()[item.slot()]);
      rounds.push_back(std::move(place));
    }
  }
}

size_t rsd_answer_size(const rsd_answer* answer) {
  return answer != nullptr ? answer->order.size() : 0;
}

const size_t* rsd_answer_order(const rsd_answer* answer) {
  return answer != nullptr ? answer->order.data() : nullptr;
}

size_t rsd_answer_n_listed(const rsd_answer* answer) {
  return answer != nullptr ? answer->listed.size() : 0;
}

const size_t* rsd_answer_listed(const rsd_answer* answer) {
  return answer != nullptr ? answer->listed.data() : nullptr;
}

const char* rsd_answer_id(const rsd_answer* answer, size_t position) {
  if (answer == nullptr || position >= answer->order.size()) return nullptr;
  return answer->ids[answer->order[position]].c_str();
}

const double* rsd_answer_relevance(const rsd_answer* answer) {
  return answer != nullptr ? rsd::bindings::values_or_null(answer->answer.relevance) : nullptr;
}

const double* rsd_answer_raw_relevance(const rsd_answer* answer) {
  return answer != nullptr ? rsd::bindings::values_or_null(answer->answer.raw_relevance) : nullptr;
}

rsd_error* rsd_answer_get_info(const rsd_answer* answer, rsd_answer_info* info) {
  return rsd::bindings::guarded([&]() -> rsd::Result<void> {
    if (answer == nullptr) return rsd::bindings::null_argument("answer");
    return rsd::bindings::write_struct(rsd::bindings::info_of(answer->answer), info, "info");
  });
}

size_t rsd_answer_n_rounds(const rsd_answer* answer) {
  return answer != nullptr ? answer->rounds.size() : 0;
}

rsd_error* rsd_answer_get_round(const rsd_answer* answer, size_t round, rsd_round* out) {
  return rsd::bindings::guarded([&]() -> rsd::Result<void> {
    if (answer == nullptr) return rsd::bindings::null_argument("answer");
    if (round >= answer->rounds.size()) {
      return rsd::invalid_argument("round is " + std::to_string(round) + "; the answer has " +
                                   std::to_string(answer->rounds.size()));
    }
    return rsd::bindings::write_struct(rsd::bindings::round_of(*answer, answer->rounds[round]), out,
                                       "round");
  });
}

const float* rsd_answer_round_row(const rsd_answer* answer, size_t round, size_t row) {
  if (answer == nullptr || round >= answer->rounds.size()) return nullptr;
  const auto& logits = rsd::bindings::round_at(*answer, answer->rounds[round]).logits;
  return row < logits.n_kept() ? logits.row(row).data() : nullptr;
}

void rsd_answer_free(rsd_answer* answer) {
  delete answer;
}
