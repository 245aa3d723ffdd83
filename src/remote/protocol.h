// The interface of the servers' protocols: one verification as an HTTP request and its answer.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/logits.h"
#include "rsd/decode/position_scorer.h"

namespace rsd {

// A request for the identifiers' logits at some rows after a prompt. A view: the scorer owns the
// tokens.
struct RowQuestion {
  std::span<const TokenId> prompt;               // not empty
  std::span<const IdentifierToken> identifiers;  // one per item
  // At least rows.end - 1 items; row j depends on the first j.
  std::span<const ItemId> proposal;
  RowRange rows;
  std::string_view cache_scope = {};  // Prompt::cache_scope: servers know it as a salt

  // prompt, then proposal[0, n_items).
  std::vector<TokenId> tokens(std::size_t n_items) const;
  // The same with one more token: servers return the LLM's prediction at the place of a token, so
  // the last row needs a token in its place. Which one doesn't matter.
  std::vector<TokenId> tokens_with_last_row() const;
};

struct RowAnswer {
  LogitMatrix rows;                          // [rows.size(), identifiers.size()], log-probabilities
  std::optional<std::size_t> cached_tokens;  // prompt tokens from the server's cache, if it reports
                                             // them
};

// Whether the server may read its prefix cache.
enum class CacheUse { kRead, kSkip };

// A protocol. Stateless; safe to share between threads.
class Protocol {
 public:
  virtual ~Protocol() = default;

  virtual std::string_view name() const noexcept = 0;  // for the log
  virtual std::string_view path() const noexcept = 0;  // appended to a replica's URL
  virtual std::size_t max_identifiers() const noexcept = 0;

  // The request's body, a JSON document.
  virtual std::string body(const RowQuestion& question, std::string_view model,
                           CacheUse cache) const = 0;
  // nullopt: the server took so much from its cache that it returned no rows; ask again with kSkip.
  // kRuntime names the fault of the answer. Everything in it that could reveal an answer to another
  // question is checked.
  virtual Result<std::optional<RowAnswer>> parse(std::string_view answer,
                                                 const RowQuestion& question) const = 0;
};

std::unique_ptr<const Protocol> vllm_generate_protocol();
std::unique_ptr<const Protocol> vllm_completions_protocol();
std::unique_ptr<const Protocol> sglang_generate_protocol();

}  // namespace rsd
