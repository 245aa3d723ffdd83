#include "support/recorded_vllm.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace rsd {
namespace {

std::string read(const std::string& name) {
  std::ifstream file(RecordedVllm::kFolder + name, std::ios::binary);
  if (!file) throw std::runtime_error(RecordedVllm::kFolder + name + " can't be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

RecordedVllm RecordedVllm::load() {
  using Json = nlohmann::json;
  RecordedVllm recorded;
  recorded.generate = {read("generate-request.json"), read("generate-response.json")};
  recorded.completions = {read("completions-request.json"), read("completions-response.json")};
  recorded.dropped_question = read("generate-dropped-request.json");
  const Json meta = Json::parse(read("meta.json"));
  const Json question = Json::parse(recorded.generate.question);
  recorded.model = question.at("model").get<std::string>();
  for (std::size_t n = 0; n < meta.at("P").get<std::size_t>(); ++n)
    recorded.prompt.emplace_back(question.at("token_ids").at(n).get<int>());
  const auto identifiers = meta.at("ids").get<std::vector<int>>();
  for (const int token : identifiers)
    recorded.identifiers.emplace_back(token);
  for (const Json& token : meta.at("suf"))
    recorded.proposal.emplace_back(std::ranges::find(identifiers, token.get<int>()) -
                                   identifiers.begin());
  return recorded;
}

}  // namespace rsd
