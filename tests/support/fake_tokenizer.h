// A tokenizer made of the strings that a test names.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rsd/prompt/tokenizer.h"

namespace rsd {

// What a character costs that no named string covers.
enum class FakeFallback {
  kOneTokenAByte,
  kTwoTokensAByte,  // so that no single byte can be an identifier
};

// Takes the longest of `singles` at every place. Its chat frame is three tokens, which no text
// gives: <open>, <between>, <close>.
class FakeTokenizer final : public Tokenizer {
 public:
  static constexpr int kOpen = 9000;
  static constexpr int kBetween = 9001;
  static constexpr int kClose = 9002;

  explicit FakeTokenizer(std::vector<std::string> singles,
                         FakeFallback fallback = FakeFallback::kOneTokenAByte)
      : singles_(std::move(singles)), fallback_(fallback) {}

  std::vector<TokenId> encode_text(std::string_view text) const override {
    std::vector<TokenId> tokens;
    while (!text.empty()) {
      const std::size_t single = longest_at_start_of(text);
      if (single < singles_.size()) {
        tokens.emplace_back(kFirstSingle + static_cast<int>(single));
        text.remove_prefix(singles_[single].size());
        continue;
      }
      tokens.emplace_back(static_cast<int>(static_cast<unsigned char>(text.front())));
      if (fallback_ == FakeFallback::kTwoTokensAByte) tokens.emplace_back(kFiller);
      text.remove_prefix(1);
    }
    return tokens;
  }

  std::string piece(TokenId token) const override {
    switch (token.value()) {
      case kOpen:
        return "<open>";
      case kBetween:
        return "<between>";
      case kClose:
        return "<close>";
      case kFiller:
        return "";
      default:
        break;
    }
    if (token.value() < kFirstSingle) return {static_cast<char>(token.value())};
    return singles_.at(static_cast<std::size_t>(token.value() - kFirstSingle));
  }

  ChatFrame chat_frame(bool with_system_text) const override {
    ChatFrame frame{.opening = {TokenId(kOpen)}, .between = {}, .closing = {TokenId(kClose)}};
    if (with_system_text) frame.between.emplace_back(kBetween);
    return frame;
  }

  std::string text_of(const std::vector<TokenId>& tokens) const {
    std::string text;
    for (const TokenId token : tokens)
      text += piece(token);
    return text;
  }

 private:
  static constexpr int kFiller = 256;
  static constexpr int kFirstSingle = 300;

  std::size_t longest_at_start_of(std::string_view text) const {
    std::size_t longest = singles_.size();
    for (std::size_t i = 0; i < singles_.size(); ++i) {
      const bool longer =
          longest == singles_.size() || singles_[i].size() > singles_[longest].size();
      if (text.starts_with(singles_[i]) && longer) longest = i;
    }
    return longest;
  }

  std::vector<std::string> singles_;
  FakeFallback fallback_;
};

}  // namespace rsd
