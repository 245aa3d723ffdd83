#include "support/recordings.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace rsd {
namespace {

using Json = nlohmann::json;
using Tokens = std::vector<int>;

// Whether the cache is read changes how the answer is made, not what it says.
Json without_cache(Json question) {
  if (question.contains("sampling_params"))
    question["sampling_params"].erase("skip_reading_prefix_cache");
  return question;
}

}  // namespace

Recordings::Recording Recordings::of_generate(const Json& question, const Json& answer) {
  auto tokens = question.at("token_ids").get<Tokens>();
  tokens.pop_back();  // the last token only makes room for the last row, so its value doesn't
                      // matter
  const Json& params = question.at("sampling_params");
  return {.question = {},
          .answer = {},
          .tokens = std::move(tokens),
          .identifiers = params.at("prompt_logprob_token_ids").at(0).get<Tokens>(),
          .rows = rows_of_npy_text(answer.at("prompt_token_id_logprobs").get<std::string>())};
}

Recordings::Recording Recordings::of_completions(const Json& question, const Json& answer) {
  Recording recording{.question = {},
                      .answer = {},
                      .tokens = question.at("prompt").back().get<Tokens>(),
                      .identifiers = question.at("logprob_token_ids").get<Tokens>(),
                      .rows = FakeRows(question.at("prompt").size())};
  for (const Json& choice : answer.at("choices")) {
    auto& row = recording.rows.at(choice.at("index").get<std::size_t>());
    const Json& top = choice.at("logprobs").at("top_logprobs").at(0);
    for (const int identifier : recording.identifiers)
      row.push_back(top.at("token_id:" + std::to_string(identifier)).get<float>());
  }
  return recording;
}

Recordings::Recordings(const std::vector<RecordedExchange>& exchanges) {
  for (const RecordedExchange& exchange : exchanges) {
    Json question = Json::parse(exchange.question);
    const Json answer = Json::parse(exchange.answer);
    const Way way = question.contains("token_ids") ? Way::kGenerate : Way::kCompletions;
    Recording recording =
        way == Way::kGenerate ? of_generate(question, answer) : of_completions(question, answer);
    recording.question = without_cache(std::move(question));
    recording.answer = exchange.answer;
    if (recording.tokens.size() < recording.rows.size() || recording.rows.empty())
      throw std::invalid_argument("a recording of no prompt, or of no row");
    if (!by_way_.emplace(way, std::move(recording)).second)
      throw std::invalid_argument("two recordings of one way of asking");
  }
}

std::optional<std::string> Recordings::answer(Way way, Json question) const {
  const auto found = by_way_.find(way);
  const bool is_it =
      found != by_way_.end() && without_cache(std::move(question)) == found->second.question;
  return is_it ? std::optional(found->second.answer) : std::nullopt;
}

std::optional<std::vector<float>> Recordings::row(Way way, std::span<const int> tokens,
                                                  const Tokens& identifiers) const {
  const auto found = by_way_.find(way);
  if (found == by_way_.end()) return std::nullopt;
  const Recording& recording = found->second;
  const std::size_t n_prompt = recording.tokens.size() + 1 - recording.rows.size();
  const auto prompt = std::span(recording.tokens).first(n_prompt);
  if (tokens.size() < n_prompt || !std::ranges::equal(tokens.first(n_prompt), prompt))
    return std::nullopt;
  const auto known =
      std::span(recording.tokens).first(std::min(tokens.size(), recording.tokens.size()));
  if (!std::ranges::equal(tokens, known) || identifiers != recording.identifiers)
    throw std::out_of_range("nothing is recorded of this proposal");
  return recording.rows.at(tokens.size() - n_prompt);
}

}  // namespace rsd
