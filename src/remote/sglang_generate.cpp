// SGLang's POST /generate.
#include <limits>

#include "remote/protocol.h"
#include "remote/protocol_json.h"
#include "remote/vllm_usage.h"

namespace rsd {
namespace {

constexpr const char* kTokenRows = "input_token_ids_logprobs";

class SglangGenerate final : public Protocol {
 public:
  std::string_view name() const noexcept override { return "SGLang /generate"; }
  std::string_view path() const noexcept override { return "/generate"; }
  std::size_t max_identifiers() const noexcept override {
    return std::numeric_limits<std::size_t>::max();
  }

  // SGLang reads its cache only up to logprob_start_len, so `cache` has no effect; a server has
  // only one model.
  std::string body(const RowQuestion& question, std::string_view /*model*/,
                   CacheUse /*cache*/) const override {
    const std::vector<TokenId> tokens = question.tokens_with_last_row();
    std::string text = "{\"input_ids\":";
    append_numbers(text, std::span(tokens));
    text += R"(,"sampling_params":{"max_new_tokens":1,"temperature":0},"return_logprob":true)";
    text += ",\"logprob_start_len\":" +
            std::to_string(question.prompt.size() - 1 + question.rows.first);
    text += ",\"token_ids_logprob\":";
    append_numbers(text, question.identifiers);
    append_member(text, "extra_key", question.cache_scope);
    return text + "}";
  }

  Result<std::optional<RowAnswer>> parse(std::string_view answer,
                                         const RowQuestion& question) const override {
    const auto json = parse_answer(answer);
    if (!json) return json.error();
    const auto meta = member(json->root(), "meta_info");
    if (!meta) return bad_answer("has no meta_info");
    const std::size_t n_tokens = question.prompt.size() + question.rows.end;
    if (auto right = check_prompt_tokens(meta, n_tokens); !right) return right.error();
    const auto rows = elements(member(meta, kTokenRows));
    const std::size_t n_rows = question.rows.size();
    if (!rows || rows->size() != n_rows + 1 || !(*rows->begin()).is_null()) {
      return bad_answer(std::string("doesn't have null and ") + std::to_string(n_rows) +
                        " rows as " + kTokenRows);
    }
    const SlotOf slot_of = slots_of(question.identifiers);
    RowAnswer parsed{.rows = LogitMatrix(n_rows, question.identifiers.size()),
                     .cached_tokens = whole_number(member(meta, "cached_tokens"))};
    auto row = rows->begin();
    for (std::size_t j = 0; j < n_rows; ++j) {
      if (auto read = read_row(*++row, slot_of, parsed.rows.row(j)); !read)
        return read.error().within("row " + std::to_string(j));
    }
    return std::optional(std::move(parsed));
  }

 private:
  // [[log-probability, token, text or null], …], in any order.
  static Result<void> read_row(JsonValue value, const SlotOf& slot_of, std::span<float> row) {
    const auto entries = elements(value);
    if (!entries || entries->size() != row.size())
      return bad_answer("doesn't have " + std::to_string(row.size()) + " log-probabilities");
    std::vector<bool> seen(row.size(), false);
    for (const JsonValue entry_value : *entries) {
      const auto entry = elements(entry_value);
      if (!entry || entry->size() < 2) return bad_answer("has a log-probability without its token");
      auto part = entry->begin();
      const auto logprob = finite_number(*part);
      const auto token = whole_number(*++part);
      const auto found = token ? slot_of.find(*token) : slot_of.end();
      if (found == slot_of.end() || seen[found->second])
        return bad_answer("doesn't have each identifier's token once");
      if (!logprob) return bad_answer("has no finite log-probability of " + std::to_string(*token));
      seen[found->second] = true;
      row[found->second] = *logprob;
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<const Protocol> sglang_generate_protocol() {
  return std::make_unique<SglangGenerate>();
}

}  // namespace rsd
