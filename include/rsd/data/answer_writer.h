// Writes answers: JSON lines, TREC runs and tables for people.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "rsd/core/result.h"
#include "rsd/rank/ranking.h"
#include "rsd/rank/request.h"

namespace rsd {

// The answer to one request (the contract of `rsd rank`).
struct Answer {
  Ranking ranking;
  std::string decoder;
  std::optional<std::size_t> budget;
  std::size_t encodings = 0;
  std::size_t verified_prefix = 0;
  std::size_t tokens_encoded = 0;
  std::size_t truncated_candidates = 0;  // texts that were cut to fit
  bool truncated_query = false;          // the query was cut, or the history
  bool deadline_hit = false;
  double prefill_ms = 0;
  double decode_ms = 0;
  double agent_ms = 0;
  double total_ms = 0;
  // Present if the list was ranked in windows; see rsd/window/list_run.h.
  struct Windows {
    std::size_t count = 0;
    std::size_t confirmed_prefix = 0;
    std::size_t size = 0;  // the most candidates of a window
    std::string method;    // WindowMethod's name
  };
  std::optional<Windows> windows;
};

enum class AnswerFormat { kJsonl, kTrec, kTable };

std::string_view to_string(AnswerFormat format) noexcept;
// kInvalidArgument for other names than jsonl, trec, table.
Result<AnswerFormat> parse_answer_format(std::string_view name);

// Formats the answer, ending in a newline. Scores are (K - position) / K: strictly decreasing from
// 1, also as printed, so that tools which sort by score keep the order; they encode ranks, not
// probabilities.
//   kJsonl  one object: id, ranking, scores, decoder, budget, encodings, verified_prefix,
//           tokens_encoded, timing_ms {prefill, decode, agent, total}, truncated_candidates,
//           truncated_query, deadline_hit; of a list ranked in windows also windows {count,
//           confirmed_prefix, size, method}
//   kTrec   a line a candidate: qid Q0 docid rank score tag. `tag` is the run's name, used by this
//           format only; kInvalidArgument when it is empty or has white space
//   kTable  for people, about 100 columns wide, followed by a blank line
// kInvalidInput for invalid UTF-8, and in kTrec for ids that are empty or have white space
// (Unicode's too). Throws LogicError when ranking and candidates differ in size.
Result<std::string> format_answer(AnswerFormat format, const Request& request, const Answer& answer,
                                  std::string_view tag);

}  // namespace rsd
