// Writes answers: JSON lines, TREC runs and tables for people.
#pragma once

#include <string>
#include <string_view>

#include "rsd/core/result.h"
#include "rsd/data/answer.h"
#include "rsd/rank/request.h"

namespace rsd {

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
