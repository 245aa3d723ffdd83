// vLLM's POST /inference/v1/generate: one prompt, whose rows come back as one array.
#include <limits>

#include "remote/base64.h"
#include "remote/npy.h"
#include "remote/protocol.h"
#include "remote/protocol_json.h"
#include "remote/vllm_usage.h"

namespace rsd {
namespace {

constexpr const char* kRows = "prompt_token_id_logprobs";

// Checks that `answer` has one choice and a prompt of `n_tokens` tokens.
Result<void> check_frame(JsonValue answer, std::size_t n_tokens) {
  const auto choices = elements(member(answer, "choices"));
  if (!choices || choices->size() != 1 || whole_number(member(*choices->begin(), "index")) != 0) {
    return bad_answer("doesn't have one choice with the index 0");
  }
  return check_prompt_tokens(member(answer, "usage"), n_tokens);
}

class VllmGenerate final : public Protocol {
 public:
  std::string_view name() const noexcept override { return "vLLM /inference/v1/generate"; }
  std::string_view path() const noexcept override { return "/inference/v1/generate"; }
  // No fixed limit: a server whose --max-logprobs is exceeded refuses the question.
  std::size_t max_identifiers() const noexcept override {
    return std::numeric_limits<std::size_t>::max();
  }

  std::string body(const RowQuestion& question, std::string_view model,
                   CacheUse cache) const override {
    const std::vector<TokenId> tokens = question.tokens_with_last_row();
    std::string text = "{\"model\":" + json_string(model);
    append_member(text, "cache_salt", question.cache_scope);
    text += ",\"token_ids\":";
    append_numbers(text, std::span(tokens));
    text += R"(,"sampling_params":{"max_tokens":1,"temperature":0,"detokenize":false,)";
    text += "\"prompt_logprob_start\":" +
            std::to_string(question.prompt.size() - 1 + question.rows.first);
    text += ",\"prompt_logprob_token_ids\":[";
    std::string identifiers;
    append_numbers(identifiers, question.identifiers);
    for (std::size_t row = 0; row < question.rows.size(); ++row)
      text += (row > 0 ? "," : "") + identifiers;
    text += "],\"skip_reading_prefix_cache\":";
    text += cache == CacheUse::kSkip ? "true}}" : "false}}";
    return text;
  }

  Result<std::optional<RowAnswer>> parse(std::string_view answer,
                                         const RowQuestion& question) const override {
    const auto json = parse_answer(answer);
    if (!json) return json.error();
    const std::size_t n_tokens = question.prompt.size() + question.rows.end;
    if (auto right = check_frame(json->root(), n_tokens); !right) return right.error();
    const auto rows = member(json->root(), kRows);
    if (!rows) return bad_answer(std::string("has no ") + kRows);
    if (rows->is_null()) return std::optional<RowAnswer>();
    const auto encoded = text(rows);
    if (!encoded) return bad_answer(std::string("'s ") + kRows + " isn't a string");
    const auto file = decode_base64(*encoded);
    if (!file) return file.error().within(std::string("the answer's ") + kRows);
    auto matrix = parse_npy(*file, question.rows.size(), question.identifiers.size());
    if (!matrix) return matrix.error().within(std::string("the answer's ") + kRows);
    if (auto finite = check_finite(*matrix); !finite) return finite.error();
    return std::optional(
        RowAnswer{.rows = *std::move(matrix), .cached_tokens = vllm_cached_tokens(json->root())});
  }
};

}  // namespace

std::unique_ptr<const Protocol> vllm_generate_protocol() {
  return std::make_unique<VllmGenerate>();
}

}  // namespace rsd
