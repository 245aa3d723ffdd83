#include "rsd/data/answer_writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/names.h"
#include "data/answer_table.h"
#include "data/fixed_decimals.h"
#include "data/shorten.h"
#include "rsd/core/check.h"
#include "rsd/core/utf8.h"
#include "rsd/rank/relevance_scores.h"

namespace rsd {
namespace {

constexpr NameTable<AnswerFormat, 3> kFormats = {{{{AnswerFormat::kJsonl, "jsonl"},
                                                   {AnswerFormat::kTrec, "trec"},
                                                   {AnswerFormat::kTable, "table"}}}};

// Readers of runs may also split at Unicode's white space (Python's str.split does).
constexpr std::array<std::string_view, 19> kWideWhiteSpace = {
    "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
    "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
    "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

double rounded_ms(double ms) {
  return std::round(ms * 1000) / 1000;
}

Result<std::string> format_jsonl(const Request& request, const Answer& answer) {
  using Json = nlohmann::ordered_json;
  Json ids = Json::array();
  Json scores = Json::array();
  const auto listed = listed_positions(answer);
  for (const Position position : listed) {
    scores.push_back(rank_score(position.slot(), answer.ranking.size()));
    ids.push_back(request.candidates[answer.ranking.at(position).slot()].id);
  }
  Json line = {{"id", request.id},
               {"ranking", std::move(ids)},
               {"scores", std::move(scores)},
               {"decoder", answer.decoder},
               {"budget", answer.budget ? Json(*answer.budget) : Json(nullptr)},
               {"encodings", answer.encodings},
               {"verified_prefix", answer.verified_prefix},
               {"tokens_encoded", answer.tokens_encoded},
               {"timing_ms",
                {{"prefill", rounded_ms(answer.prefill_ms)},
                 {"decode", rounded_ms(answer.decode_ms)},
                 {"agent", rounded_ms(answer.agent_ms)},
                 {"total", rounded_ms(answer.total_ms)}}},
               {"truncated_candidates", answer.truncated_candidates},
               {"truncated_query", answer.truncated_query},
               {"deadline_hit", answer.deadline_hit}};
  if (answer.candidates_reused) {
    line["tokens_reused"] = answer.tokens_reused;
    line["candidates_reused"] = *answer.candidates_reused;
  }
  if (const auto none = none_relevant(answer)) {
    line["relevance_scores"] = listed_relevance(answer);
    line["none_relevant"] = *none;
  }
  if (answer.min_score) line["left_out"] = answer.ranking.size() - listed.size();
  if (answer.windows) {
    line["windows"] = {{"count", answer.windows->count},
                       {"confirmed_prefix", answer.windows->confirmed_prefix},
                       {"size", answer.windows->size},
                       {"method", answer.windows->method}};
  }
  return line.dump() + "\n";
}

bool fits_one_column(std::string_view text) {
  const auto ends_column = [](char c) { return (c >= 0 && c <= ' ') || c == '\x7f'; };
  return !text.empty() && std::ranges::none_of(text, ends_column) &&
         std::ranges::none_of(kWideWhiteSpace, [&](std::string_view space) {
           return text.find(space) != std::string_view::npos;
         });
}

Error not_one_column(ErrorCode code, const std::string& what, std::string_view value) {
  return {code, what + " \"" + shorten(value, kShownChars) +
                    "\" can't be written in TREC's format: it must be a word without white space"};
}

Result<std::string> format_trec(const Request& request, const Answer& answer,
                                std::string_view tag) {
  if (!fits_one_column(tag)) return not_one_column(ErrorCode::kInvalidArgument, "the tag", tag);
  if (!fits_one_column(request.id)) {
    return not_one_column(ErrorCode::kInvalidInput, "the request id", request.id);
  }
  // Enough decimals to distinguish neighbouring scores, which differ by 1/K.
  const std::size_t n_items = answer.ranking.size();
  const int decimals = std::max(6, static_cast<int>(std::to_string(n_items).size()) + 1);
  std::string lines;
  std::size_t rank = 0;
  for (const Position position : listed_positions(answer)) {
    const ItemId item = answer.ranking.at(position);
    const std::string& id = request.candidates[item.slot()].id;
    if (!fits_one_column(id)) {
      return not_one_column(ErrorCode::kInvalidInput, "the candidate id", id);
    }
    lines += request.id + " Q0 " + id + " " + std::to_string(++rank) + " " +
             fixed_decimals(rank_score(position.slot(), n_items), decimals) + " " +
             std::string(tag) + "\n";
  }
  return lines;
}

// The readers check UTF-8, but a program may have built the request itself.
Result<void> check_utf8(const Request& request, const Answer& answer, std::string_view tag) {
  const auto bad = [](std::string_view text) { return find_invalid_utf8(text).has_value(); };
  const bool any = bad(request.id) || bad(request.query) ||
                   std::ranges::any_of(request.history, bad) || bad(answer.decoder) || bad(tag) ||
                   std::ranges::any_of(request.candidates, [&](const Candidate& candidate) {
                     return bad(candidate.id) || bad(candidate.text);
                   });
  if (any) return Error(ErrorCode::kInvalidInput, "the answer holds invalid UTF-8");
  return {};
}

}  // namespace

std::string_view to_string(AnswerFormat format) noexcept {
  return kFormats.name_of(format);
}

Result<AnswerFormat> parse_answer_format(std::string_view name) {
  return kFormats.parse("format", name);
}

Result<std::string> format_answer(AnswerFormat format, const Request& request, const Answer& answer,
                                  std::string_view tag) {
  RSD_CHECK(answer.ranking.size() == request.candidates.size(), "an answer to another request");
  if (auto valid = check_utf8(request, answer, tag); !valid) return valid.error();
  switch (format) {
    case AnswerFormat::kJsonl:
      return format_jsonl(request, answer);
    case AnswerFormat::kTrec:
      return format_trec(request, answer, tag);
    case AnswerFormat::kTable:
      return format_answer_table(request, answer);
  }
  RSD_CHECK(false, "an unknown format");
  return std::string();
}

}  // namespace rsd
