#include "llm/llama_tokenizer.h"

#include <llama.h>

#include <algorithm>
#include <utility>

#include "llm/chat_format.h"
#include "rsd/core/check.h"

namespace rsd {

namespace {

bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

bool only_white_space(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Where the first piece of `text` ends that is short enough for the tokenizer: before the last
// space in reach, where a word begins in any case, else between two characters.
std::size_t end_of_piece(std::string_view text) {
  // llama.cpp splits words with std::regex, which recurses for every character of a match.
  constexpr std::size_t kMaxBytes = 4096;
  if (text.size() <= kMaxBytes) return text.size();
  const std::size_t space = text.rfind(' ', kMaxBytes);
  if (space != std::string_view::npos && space > kMaxBytes / 2) return space;
  std::size_t end = kMaxBytes;
  while (end > kMaxBytes / 2 && continues_character(text[end]))
    --end;
  return end;
}

}  // namespace

LlamaTokenizer::LlamaTokenizer(std::shared_ptr<llama_model> model)
    : model_(std::move(model)), vocab_(llama_model_get_vocab(model_.get())) {
  const auto letter = encode("a", Special::kAsText);
  if (!letter.empty() && piece(letter.front()).starts_with(' ')) {
    for (const char* text : {"\n", ":", "|"})
      anchors_.push_back({.text = text, .tokens = encode(text, Special::kAsText)});
  }
  collect_markers();
}

// Some vocabularies declare line breaks and runs of spaces as user-defined tokens; those mark
// nothing.
void LlamaTokenizer::collect_markers() {
  for (const bool with_system_text : {false, true}) {
    const ChatFrame frame = chat_frame(with_system_text);
    for (const auto* part : {&frame.opening, &frame.between, &frame.closing}) {
      for (const TokenId token : *part) {
        const auto attributes = llama_vocab_get_attr(vocab_, token.value());
        const bool special =
            attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED);
        if (special && !only_white_space(piece(token))) frame_tokens_.insert(token);
      }
    }
  }
}

std::vector<TokenId> LlamaTokenizer::encode(std::string_view text, Special special) const {
  // One token a byte is the longest any vocabulary gives, but for spaces that it adds itself.
  std::vector<llama_token> tokens(text.size() + 16);
  const auto tokenize = [&] {
    return llama_tokenize(vocab_, text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                          static_cast<int32_t>(tokens.size()), /*add_special=*/false,
                          special == Special::kParsed);
  };
  int32_t count = tokenize();
  if (count < 0) {
    tokens.resize(static_cast<std::size_t>(-count));
    count = tokenize();
  }
  RSD_CHECK(count >= 0, "llama_tokenize asked for more room twice");
  return {tokens.begin(), tokens.begin() + count};
}

// SentencePiece vocabularies put a space before whatever they are given. In the middle of a prompt
// there is none: the text is tokenised after an anchor, which is then taken off again. An anchor
// that grows together with the text gives way to the next.
std::vector<TokenId> LlamaTokenizer::encode_mid(std::string_view text, Special special) const {
  if (text.empty()) return {};
  for (const Anchor& anchor : anchors_) {
    auto tokens = encode(anchor.text + std::string(text), special);
    const auto n_anchor = static_cast<std::ptrdiff_t>(anchor.tokens.size());
    if (tokens.size() < anchor.tokens.size() ||
        !std::equal(anchor.tokens.begin(), anchor.tokens.end(), tokens.begin())) {
      continue;
    }
    tokens.erase(tokens.begin(), tokens.begin() + n_anchor);
    return tokens;
  }
  return encode(text, special);
}

std::vector<TokenId> LlamaTokenizer::encode_long(std::string_view text) const {
  std::vector<TokenId> tokens;
  while (!text.empty()) {
    const std::size_t end = end_of_piece(text);
    const auto piece_tokens = encode_mid(text.substr(0, end), Special::kAsText);
    tokens.insert(tokens.end(), piece_tokens.begin(), piece_tokens.end());
    text.remove_prefix(end);
  }
  return tokens;
}

bool LlamaTokenizer::forbidden_in_text(TokenId token) const {
  return llama_vocab_is_control(vocab_, token.value()) ||
         llama_vocab_is_eog(vocab_, token.value()) || frame_tokens_.contains(token);
}

// llama.cpp leaves control tokens in text unparsed, but user-defined ones (as some models declare
// their turn markers) it does parse, and pieces may merge into the text of a control token. A text
// that holds such a marker is tokenised in parts, so that none holds it whole.
std::vector<TokenId> LlamaTokenizer::encode_text(std::string_view text) const {
  auto tokens = encode_long(text);
  std::set<std::string> markers;
  // Breaking one marker may bring out another: the loop ends since `markers` grows.
  while (collect_forbidden(tokens, markers))
    tokens = encode_apart(text, markers);
  std::erase_if(tokens, [this](TokenId token) { return forbidden_in_text(token); });
  return tokens;
}

// Adds the texts of forbidden tokens to `markers`; false when nothing new came.
bool LlamaTokenizer::collect_forbidden(const std::vector<TokenId>& tokens,
                                       std::set<std::string>& markers) const {
  const std::size_t before = markers.size();
  for (const TokenId token : tokens) {
    if (forbidden_in_text(token)) markers.insert(piece(token));
  }
  return markers.size() > before;
}

// Cuts `text` after the first character of every marker. One of a single character stays whole.
std::vector<TokenId> LlamaTokenizer::encode_apart(std::string_view text,
                                                  const std::set<std::string>& markers) const {
  std::set<std::size_t> cuts{text.size()};
  for (const std::string& marker : markers) {
    if (marker.empty()) continue;
    for (auto at = text.find(marker); at != std::string_view::npos; at = text.find(marker, at)) {
      ++at;
      while (at < text.size() && continues_character(text[at]))
        ++at;
      cuts.insert(at);
    }
  }
  std::vector<TokenId> tokens;
  std::size_t begin = 0;
  for (const std::size_t end : cuts) {
    const auto part = encode_long(text.substr(begin, end - begin));
    tokens.insert(tokens.end(), part.begin(), part.end());
    begin = end;
  }
  return tokens;
}

std::string LlamaTokenizer::piece(TokenId token) const {
  std::string text(32, '\0');
  const auto read = [&] {
    return llama_token_to_piece(vocab_, token.value(), text.data(),
                                static_cast<int32_t>(text.size()), /*lstrip=*/0, /*special=*/true);
  };
  int32_t length = read();
  if (length < 0) {
    text.resize(static_cast<std::size_t>(-length));
    length = read();
  }
  text.resize(static_cast<std::size_t>(std::max(length, 0)));
  return text;
}

ChatFrame LlamaTokenizer::chat_frame(bool with_system_text) const {
  const ChatText text = chat_text(model_.get(), with_system_text);
  ChatFrame frame{.between = encode_mid(text.between, Special::kParsed),
                  .closing = encode_mid(text.closing, Special::kParsed)};
  if (!text.opening.empty()) frame.opening = encode(text.opening, Special::kParsed);
  const TokenId bos(llama_vocab_bos(vocab_));
  const bool begins = !frame.opening.empty() && frame.opening.front() == bos;
  if (llama_vocab_get_add_bos(vocab_) && bos.value() >= 0 && !begins) {
    frame.opening.insert(frame.opening.begin(), bos);
  }
  return frame;
}

}  // namespace rsd
