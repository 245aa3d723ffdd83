// vLLM's POST /v1/completions: one prompt per row, all in one request. All of vLLM's model runners
// support it.
#include <charconv>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "remote/protocol.h"
#include "remote/protocol_json.h"
#include "remote/vllm_usage.h"

namespace rsd {
namespace {

constexpr std::string_view kTokenName = "token_id:";

// The log-probabilities of a choice's first token, by "token_id:N"; nullopt if there are none.
std::optional<simdjson::dom::object> first_logprobs(JsonValue choice) {
  const auto top = elements(member(member(choice, "logprobs"), "top_logprobs"));
  if (!top || top->size() != 1) return std::nullopt;
  return members(*top->begin());
}

// nullopt if `name` isn't "token_id:N".
std::optional<std::size_t> token_of(std::string_view name) {
  if (!name.starts_with(kTokenName)) return std::nullopt;
  name.remove_prefix(kTokenName.size());
  std::size_t token = 0;
  const char* const end = std::to_address(name.end());
  const auto [rest, failure] = std::from_chars(std::to_address(name.begin()), end, token);
  return failure == std::errc() && rest == end ? std::optional(token) : std::nullopt;
}

class VllmCompletions final : public Protocol {
 public:
  std::string_view name() const noexcept override { return "vLLM /v1/completions"; }
  std::string_view path() const noexcept override { return "/v1/completions"; }
  std::size_t max_identifiers() const noexcept override { return 128; }

  // The cache can always be read: the rows are predictions after the prompts.
  std::string body(const RowQuestion& question, std::string_view model,
                   CacheUse /*cache*/) const override {
    std::string text = "{\"model\":" + json_string(model);
    append_member(text, "cache_salt", question.cache_scope);
    text += R"(,"max_tokens":1,"temperature":0,"prompt":[)";
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
    const auto choices = elements(member(json->root(), "choices"));
    if (!choices || choices->size() != n_rows)
      return bad_answer("doesn't have " + std::to_string(n_rows) + " choices");
    if (auto right = check_usage(json->root(), question); !right) return right.error();
    RowAnswer parsed{.rows = LogitMatrix(n_rows, question.identifiers.size()),
                     .cached_tokens = std::nullopt};
    const SlotOf slot_of = slots_of(question.identifiers);
    std::vector<bool> seen(n_rows, false);
    for (const JsonValue choice : *choices) {
      const auto index = whole_number(member(choice, "index"));
      if (!index || *index >= n_rows || seen[*index])
        return bad_answer("doesn't have each choice's index once");
      seen[*index] = true;
      if (auto read = read_row(choice, slot_of, parsed.rows.row(*index)); !read)
        return read.error().within("choice " + std::to_string(*index));
    }
    return std::optional(std::move(parsed));
  }

 private:
  static Result<void> check_usage(JsonValue answer, const RowQuestion& question) {
    std::size_t n_tokens = 0;
    for (std::size_t row = question.rows.first; row < question.rows.end; ++row)
      n_tokens += question.prompt.size() + row;
    return check_prompt_tokens(member(answer, "usage"), n_tokens);
  }

  // The answer may have more tokens than requested.
  static Result<void> read_row(JsonValue choice, const SlotOf& slot_of, std::span<float> row) {
    const auto logprobs = first_logprobs(choice);
    if (!logprobs) return bad_answer("has no top_logprobs of one token");
    std::vector<bool> seen(row.size(), false);
    for (const auto& [name, number] : *logprobs) {
      const auto token = token_of(name);
      const auto found = token ? slot_of.find(*token) : slot_of.end();
      if (found == slot_of.end()) continue;
      if (seen[found->second]) return bad_answer("has " + std::string(name) + " twice");
      const auto value = finite_number(number);
      if (!value) return bad_answer("has no finite log-probability of " + std::string(name));
      seen[found->second] = true;
      row[found->second] = *value;
    }
    for (const auto& [token, slot] : slot_of) {
      if (seen[slot]) continue;
      return bad_answer("lacks the log-probability of " + std::string(kTokenName) +
                        std::to_string(token));
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<const Protocol> vllm_completions_protocol() {
  return std::make_unique<VllmCompletions>();
}

}  // namespace rsd
