#include "rsd/data/answer_reader.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "json/read_json.h"

namespace rsd {
namespace {

using nlohmann::json;

// nullopt where the line is no answer.
std::optional<std::pair<std::string, std::vector<std::string>>> parse(const std::string& line) {
  const auto read = read_json(line);
  if (!read) return std::nullopt;
  const json& answer = *read;
  if (!answer.is_object() || !answer.value("id", json()).is_string()) return std::nullopt;
  const auto ranking = answer.find("ranking");
  if (ranking == answer.end() || !ranking->is_array()) return std::nullopt;
  std::vector<std::string> ids;
  ids.reserve(ranking->size());
  for (const json& id : *ranking) {
    if (!id.is_string()) return std::nullopt;
    ids.push_back(id.get<std::string>());
  }
  return std::pair(answer.at("id").get<std::string>(), std::move(ids));
}

}  // namespace

Result<PreviousAnswers> PreviousAnswers::read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Error(ErrorCode::kNotFound, "previous answers " + path + " can't be opened");
  PreviousAnswers answers;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto answer = parse(line);
    if (!answer) {
      return Error(ErrorCode::kInvalidInput,
                   path + ":" + std::to_string(number) +
                       ": not an answer: an object with \"id\" and \"ranking\" is expected");
    }
    answers.rankings_.insert_or_assign(std::move(answer->first), std::move(answer->second));
  }
  if (file.bad()) return Error(ErrorCode::kRuntime, path + ": reading broke off");
  return answers;
}

std::optional<Ranking> PreviousAnswers::draft_for(const Request& request) const {
  const auto found = rankings_.find(request.id);
  if (found == rankings_.end()) return std::nullopt;
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t place = 0; place < found->second.size(); ++place)
    places.emplace(found->second[place], place);
  bool any = false;
  std::vector<double> scores;
  scores.reserve(request.candidates.size());
  for (const Candidate& candidate : request.candidates) {
    const auto place = places.find(candidate.id);
    any = any || place != places.end();
    scores.push_back(-static_cast<double>(place == places.end() ? places.size() : place->second));
  }
  if (!any) return std::nullopt;
  return Ranking::by_score(scores);
}

}  // namespace rsd
