// A llama.cpp vocabulary as a Tokenizer.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/prompt/tokenizer.h"

struct llama_model;
struct llama_vocab;

namespace rsd {

class LlamaTokenizer final : public Tokenizer {
 public:
  // `model` is kept alive by the caller's handle.
  explicit LlamaTokenizer(std::shared_ptr<llama_model> model);

  std::vector<TokenId> encode_text(std::string_view text) const override;
  std::string piece(TokenId token) const override;
  ChatFrame chat_frame(bool with_system_text) const override;

 private:
  enum class Special { kAsText, kParsed };
  // A text that stays apart from what follows it, and its tokens.
  struct Anchor {
    std::string text;
    std::vector<TokenId> tokens;
  };

  std::vector<TokenId> encode(std::string_view text, Special special) const;
  std::vector<TokenId> encode_mid(std::string_view text, Special special) const;
  std::vector<TokenId> encode_long(std::string_view text) const;
  void collect_markers();
  bool forbidden_in_text(TokenId token) const;
  bool collect_forbidden(const std::vector<TokenId>& tokens, std::set<std::string>& markers) const;
  std::vector<TokenId> encode_apart(std::string_view text,
                                    const std::set<std::string>& markers) const;

  std::shared_ptr<llama_model> model_;
  const llama_vocab* vocab_;
  std::vector<Anchor> anchors_;     // empty where the vocabulary adds no space in front
  std::set<TokenId> frame_tokens_;  // special tokens of the chat format
};

}  // namespace rsd
