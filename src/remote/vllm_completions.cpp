// vLLM's POST /v1/completions: a prompt for each row, all in one request. Any model runner has it.
#include <vector>

#include "remote/protocol.h"
#include "remote/protocol_json.h"
#include "remote/vllm_usage.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

// The first token's log-probabilities of a choice, by "token_id:N"; nullptr where there are none.
const Json* first_logprobs(const Json& choice) {
  const auto* logprobs = member(choice, "logprobs");
  const auto* top = logprobs ? member(*logprobs, "top_logprobs") : nullptr;
  if (!top || !top->is_array() || top->size() != 1 || !top->front().is_object()) return nullptr;
  return &top->front();
}

class VllmCompletions final : public Protocol {
 public:
  std::string_view name() const noexcept override { return "vLLM /v1/completions"; }
  std::string_view path() const noexcept override { return "/v1/completions"; }
  std::size_t max_identifiers() const noexcept override { return 128; }

  // Its cache is read in any case: the rows are what comes behind the prompts.
  std::string body(const RowQuestion& question, std::string_view model,
                   CacheUse /*cache*/) const override {
    std::string text =
        "{\"model\":" + json_string(model) + ",\"max_tokens\":1,\"temperature\":0,\"prompt\":[";
    const std::vector<TokenId> tokens = question.tokens(question.rows.end - 1);
    for (std::size_t row = question.rows.first; row < question.rows.end; ++row) {
      if (row > question.rows.first) text += ',';
      append_numbers(text, std::span(tokens).first(question.prompt.size() + row));
    }
    text += "],\"logprobs\":" + std::to_string(question.identifiers.size());
    text += ",\"logprob_token_ids\":";
    append_numbers(text, question.identifiers);
    return text + ",\"return_tokens_as_token_ids\":true}";
  }

  Result<std::optional<RowAnswer>> parse(std::string_view answer,
                                         const RowQuestion& question) const override {
    const auto json = parse_answer(answer);
    if (!json) return json.error();
    const std::size_t n_rows = question.rows.size();
    const auto* choices = member(*json, "choices");
    if (!choices || !choices->is_array() || choices->size() != n_rows)
      return bad_answer("doesn't have " + std::to_string(n_rows) + " choices");
    if (auto right = check_usage(*json, question); !right) return right.error();
    RowAnswer parsed{.rows = LogitMatrix(n_rows, question.identifiers.size()),
                     .cached_tokens = std::nullopt};
    std::vector<bool> seen(n_rows, false);
    for (const Json& choice : *choices) {
      const auto index = whole_number(member(choice, "index"));
      if (!index || *index >= n_rows || seen[*index])
        return bad_answer("doesn't have each choice's index once");
      seen[*index] = true;
      if (auto read = read_row(choice, question, parsed.rows.row(*index)); !read)
        return read.error().within("choice " + std::to_string(*index));
    }
    return std::optional(std::move(parsed));
  }

 private:
  static Result<void> check_usage(const Json& answer, const RowQuestion& question) {
    std::size_t n_tokens = 0;
    for (std::size_t row = question.rows.first; row < question.rows.end; ++row)
      n_tokens += question.prompt.size() + row;
    const auto* usage = member(answer, "usage");
    return usage ? check_prompt_tokens(*usage, n_tokens) : Result<void>();
  }

  static Result<void> read_row(const Json& choice, const RowQuestion& question,
                               std::span<float> row) {
    const auto* logprobs = first_logprobs(choice);
    if (!logprobs) return bad_answer("has no top_logprobs of one token");
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string name = "token_id:" + std::to_string(question.identifiers[i].value());
      const auto* told = member(*logprobs, name.c_str());
      if (!told) return bad_answer("lacks the log-probability of " + name);
      const auto value = finite_number(told);
      if (!value) return bad_answer("has no finite log-probability of " + name);
      row[i] = *value;
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<const Protocol> vllm_completions_protocol() {
  return std::make_unique<VllmCompletions>();
}

}  // namespace rsd
