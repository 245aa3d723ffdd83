// How one verification is asked of a server, and what it answers.
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

// The identifiers' logits at some rows behind a prompt. A view: the tokens are the scorer's.
struct RowQuestion {
  std::span<const TokenId> prompt;               // not empty
  std::span<const IdentifierToken> identifiers;  // by item
  // rows.end - 1 items or more; row j depends on the first j.
  std::span<const ItemId> proposal;
  RowRange rows;
  std::string_view cache_scope = {};  // Prompt::cache_scope: servers know it as a salt

  // prompt, then proposal[0, n_items).
  std::vector<TokenId> tokens(std::size_t n_items) const;
  // The same with a token more: servers tell what the LLM expects in the place of a token, so the
  // last row needs one in its place. Which one doesn't matter.
  std::vector<TokenId> tokens_with_last_row() const;
};

struct RowAnswer {
  LogitMatrix rows;                          // [rows.size(), identifiers.size()], log-probabilities
  std::optional<std::size_t> cached_tokens;  // that the server knew, where it tells
};

// What the server may make of what it remembers.
enum class CacheUse { kRead, kSkip };

// Stateless; safe to share between threads.
class Protocol {
 public:
  virtual ~Protocol() = default;

  virtual std::string_view name() const noexcept = 0;  // for the log
  virtual std::string_view path() const noexcept = 0;  // behind a replica's URL
  virtual std::size_t max_identifiers() const noexcept = 0;

  // A JSON document.
  virtual std::string body(const RowQuestion& question, std::string_view model,
                           CacheUse cache) const = 0;
  // nullopt: the server knew too much of it by heart to tell the rows; to be asked again with
  // kSkip. kRuntime says what is wrong with the answer: everything in it that can show that it is
  // of another question is checked.
  virtual Result<std::optional<RowAnswer>> parse(std::string_view answer,
                                                 const RowQuestion& question) const = 0;
};

std::unique_ptr<const Protocol> vllm_generate_protocol();
std::unique_ptr<const Protocol> vllm_completions_protocol();
std::unique_ptr<const Protocol> sglang_generate_protocol();

}  // namespace rsd
