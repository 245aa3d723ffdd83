#include "rsd/rank/request.h"

#include <string_view>
#include <unordered_map>
#include <utility>

#include "rsd/core/shown_text.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

constexpr std::size_t kShownChars = 60;

std::string entry(const char* list, std::size_t place) {
  return std::string(list) + "[" + std::to_string(place) + "]";
}

Result<void> check_text(const std::string& field, std::string_view text) {
  const auto at = find_invalid_utf8(text);
  if (!at) return {};
  return invalid_input(field + " isn't valid UTF-8, from byte " + std::to_string(*at) + " on");
}

Result<void> check_question(const Request& request) {
  const bool asks_for_user = request.task == Task::kRecommendation;
  if (asks_for_user ? request.history.empty() : single_line(request.query).empty())
    return invalid_input(asks_for_user ? "history is empty" : "query is empty");
  return {};
}

Result<void> check_texts(const Request& request) {
  if (auto fine = check_text("query", request.query); !fine) return fine;
  for (std::size_t i = 0; i < request.history.size(); ++i)
    if (auto fine = check_text(entry("history", i), request.history[i]); !fine) return fine;
  for (std::size_t i = 0; i < request.candidates.size(); ++i) {
    const std::string field = entry("candidates", i);
    if (auto fine = check_text(field + ".id", request.candidates[i].id); !fine) return fine;
    if (auto fine = check_text(field + ".text", request.candidates[i].text); !fine) return fine;
  }
  return {};
}

Result<void> check_ids(const std::vector<Candidate>& candidates) {
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto [first, is_new] = places.emplace(candidates[i].id, i);
    if (is_new) continue;
    return invalid_input(entry("candidates", first->second) + " and " + entry("candidates", i) +
                         " have the same id, " + shown_text(candidates[i].id, kShownChars));
  }
  return {};
}

}  // namespace

Result<Request> complete(Request request) {
  if (request.candidates.empty()) return invalid_input("candidates is empty");
  if (auto fine = check_texts(request); !fine) return fine.error();
  std::erase_if(request.history,
                [](const std::string& title) { return single_line(title).empty(); });
  if (request.query.empty() && !request.history.empty()) request.task = Task::kRecommendation;
  if (auto fine = check_question(request); !fine) return fine.error();
  for (std::size_t i = 0; i < request.candidates.size(); ++i)
    if (request.candidates[i].id.empty()) request.candidates[i].id = std::to_string(i);
  if (auto fine = check_ids(request.candidates); !fine) return fine.error();
  return request;
}

}  // namespace rsd
