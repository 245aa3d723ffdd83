#include "bindings/c/given_request.h"

#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "bindings/c/error_object.h"
#include "bindings/c/sized_struct.h"

namespace rsd::bindings {
namespace {

std::string place_in(const char* name, std::size_t i) {
  return std::string(name) + "[" + std::to_string(i) + "]";
}

Error too_long(const std::string& name) {
  return invalid_input(name + " is longer than " + std::to_string(kMaxTextBytes) + " bytes");
}

Result<std::string> candidate_text(const rsd_request& request, std::size_t i) {
  const char* text = request.texts[i];
  if (text == nullptr) return null_argument(place_in("request.texts", i).c_str());
  if (request.text_bytes == nullptr) return given_string(text, place_in("request.texts", i));
  if (request.text_bytes[i] > kMaxTextBytes) return too_long(place_in("request.texts", i));
  return std::string(text, request.text_bytes[i]);
}

Result<std::vector<Candidate>> candidates_of(const rsd_request& request) {
  if (request.n_candidates < 1 || request.n_candidates > kMaxCandidates) {
    return invalid_argument("request.n_candidates is " + std::to_string(request.n_candidates) +
                            "; it must be 1 to " + std::to_string(kMaxCandidates));
  }
  if (request.texts == nullptr) return null_argument("request.texts");
  std::vector<Candidate> candidates(request.n_candidates);
  for (std::size_t i = 0; i < request.n_candidates; ++i) {
    auto text = candidate_text(request, i);
    if (!text) return text.error();
    candidates[i].text = *std::move(text);
  }
  if (request.ids == nullptr) return candidates;
  auto ids = given_strings(request.ids, request.n_candidates, "request.ids");
  if (!ids) return ids.error();
  for (std::size_t i = 0; i < request.n_candidates; ++i)
    candidates[i].id = std::move((*ids)[i]);
  return candidates;
}

Result<std::optional<Ranking>> previous_of(const rsd_request& request) {
  if (request.previous == nullptr) return std::optional<Ranking>();
  std::vector<ItemId> items;
  items.reserve(request.n_candidates);
  for (std::size_t i = 0; i < request.n_candidates; ++i) {
    if (request.previous[i] >= request.n_candidates) {
      return invalid_input(place_in("request.previous", i) + " is " +
                           std::to_string(request.previous[i]) + "; there are " +
                           std::to_string(request.n_candidates) + " candidates");
    }
    items.emplace_back(request.previous[i]);
  }
  auto ranking = Ranking::create(std::move(items));
  if (!ranking) return ranking.error().within("request.previous");
  return std::optional(*std::move(ranking));
}

// Numbers of which 0 is the default.
Result<std::optional<std::size_t>> number_or_default(std::size_t number, const char* name) {
  const auto checked = given_number(number, name);
  if (!checked) return checked.error();
  return *checked == 0 ? std::nullopt : std::optional(*checked);
}

Result<void> set_numbers(const rsd_rank_options& given, RankOptions& options) {
  const std::pair<const char*, std::pair<std::size_t, std::optional<std::size_t>*>> numbers[] = {
      {"options.budget", {given.budget, &options.budget}},
      {"options.top_n", {given.top_n, &options.top_n}},
      {"options.window_size", {given.window_size, &options.windows.size}},
      {"options.window_stride", {given.window_stride, &options.windows.stride}}};
  for (const auto& [name, number] : numbers) {
    const auto checked = number_or_default(number.first, name);
    if (!checked) return checked.error();
    *number.second = *checked;
  }
  const auto text_tokens = number_or_default(given.max_text_tokens, "options.max_text_tokens");
  if (!text_tokens) return text_tokens.error();
  options.max_text_tokens = text_tokens->value_or(kDefaultTextTokens);
  return {};
}

Result<void> set_names(const rsd_rank_options& given, RankOptions& options) {
  if (given.decoder != nullptr) {
    const auto decoder = parse_decoder(given.decoder);
    if (!decoder) return decoder.error().within("options.decoder");
    options.decoder = *decoder;
  }
  if (given.draft != nullptr) {
    const auto draft = parse_draft(given.draft);
    if (!draft) return draft.error().within("options.draft");
    options.draft = *draft;
  }
  if (given.window_method != nullptr) {
    const auto method = parse_window_method(given.window_method);
    if (!method) return method.error().within("options.window_method");
    options.windows.method = *method;
  }
  auto policy = given_string(given.policy, "options.policy");
  if (!policy) return policy.error();
  options.policy = *std::move(policy);
  return {};
}

Result<void> set_limits(const rsd_rank_options& given, RankOptions& options) {
  if (!std::isfinite(given.deadline_ms) || given.deadline_ms < 0) {
    return invalid_argument("options.deadline_ms is " + std::to_string(given.deadline_ms) +
                            "; it must be above 0, or 0 for none");
  }
  if (given.deadline_ms > 0)
    options.deadline = std::chrono::duration<double, std::milli>(given.deadline_ms);
  if (!(given.min_score >= 0 && given.min_score <= 1)) {
    return invalid_argument("options.min_score is " + std::to_string(given.min_score) +
                            "; it must be from 0 to 1");
  }
  if (given.min_score > 0) options.min_score = given.min_score;
  if (given.long_texts != RSD_LONG_TEXTS_CUT && given.long_texts != RSD_LONG_TEXTS_REFUSE) {
    return invalid_argument("options.long_texts is " + std::to_string(given.long_texts) +
                            "; it must be RSD_LONG_TEXTS_CUT or RSD_LONG_TEXTS_REFUSE");
  }
  options.long_texts =
      given.long_texts == RSD_LONG_TEXTS_CUT ? LongTexts::kCut : LongTexts::kRefuse;
  options.keep_rounds = given.keep_rounds != 0;
  return {};
}

}  // namespace

Result<std::string> given_string(const char* text, const std::string& name) {
  if (text == nullptr) return std::string();
  const std::size_t length = ::strnlen(text, kMaxTextBytes + 1);
  if (length > kMaxTextBytes) return too_long(name);
  return std::string(text, length);
}

Result<std::size_t> given_number(std::size_t number, const char* name) {
  if (number <= kMaxNumber) return number;
  return invalid_argument(std::string(name) + " is " + std::to_string(number) +
                          "; it must be at most " + std::to_string(kMaxNumber));
}

Result<std::vector<std::string>> given_strings(const char* const* strings, std::size_t n,
                                               const char* name) {
  std::vector<std::string> copies;
  if (n == 0) return copies;
  if (n > kMaxCandidates) {
    return invalid_argument("there are " + std::to_string(n) + " " + name + "; at most " +
                            std::to_string(kMaxCandidates) + " are taken");
  }
  if (strings == nullptr) return null_argument(name);
  copies.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (strings[i] == nullptr) return null_argument(place_in(name, i).c_str());
    auto copy = given_string(strings[i], place_in(name, i));
    if (!copy) return copy.error();
    copies.push_back(*std::move(copy));
  }
  return copies;
}

Result<GivenRequest> given_request(const rsd_request* request) {
  const auto given = read_struct(request, "request");
  if (!given) return given.error();
  auto query = given_string(given->query, "request.query");
  if (!query) return query.error();
  auto history = given_strings(given->history, given->n_history, "request.history");
  if (!history) return history.error();
  auto candidates = candidates_of(*given);
  if (!candidates) return candidates.error();
  auto previous = previous_of(*given);
  if (!previous) return previous.error();
  return GivenRequest{.request = {.query = *std::move(query),
                                  .history = *std::move(history),
                                  .candidates = *std::move(candidates)},
                      .previous = *std::move(previous)};
}

Result<RankOptions> given_rank_options(const rsd_rank_options* options) {
  RankOptions read;
  if (options == nullptr) return read;
  const auto given = read_struct(options, "options");
  if (!given) return given.error();
  for (const auto set : {&set_numbers, &set_names, &set_limits})
    if (auto done = set(*given, read); !done) return done.error();
  return read;
}

}  // namespace rsd::bindings
