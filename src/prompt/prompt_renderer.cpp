#include "prompt/prompt_renderer.h"

#include <algorithm>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {

using Kind = PromptTemplate::Part::Kind;

std::size_t PromptSurroundings::n_subjects() const {
  std::size_t count = 0;
  for (const auto* parts : {&wording.system, &wording.prefix, &wording.suffix}) {
    count += static_cast<std::size_t>(
        std::ranges::count_if(*parts, [](const PromptTemplate::Part& part) {
          return part.kind == Kind::kQuery || part.kind == Kind::kHistory;
        }));
  }
  return count;
}

PromptRenderer::PromptRenderer(const PromptSurroundings& surroundings, const Request& request)
    : around_(surroundings), request_(request) {
  for (const std::string& title : request.history)
    history_ += fill(around_.wording.history_item, title);
}

std::vector<TokenId> PromptRenderer::tokens(const std::vector<std::string>& texts) const {
  const PromptTemplate& wording = around_.wording;
  const ChatFrame& frame = around_.frame;
  Output output{.tokens = frame.opening, .pending = {}};
  if (!wording.system.empty()) {
    output.pending = fill(wording.system, {});
    flush(output);
    output.tokens.insert(output.tokens.end(), frame.between.begin(), frame.between.end());
  }
  output.pending = fill(wording.prefix, {});
  for (std::size_t i = 0; i < texts.size(); ++i)
    append_item(i, texts[i], output);
  output.pending += fill(wording.suffix, {});
  flush(output);
  output.tokens.insert(output.tokens.end(), frame.closing.begin(), frame.closing.end());
  output.pending = wording.answer;
  flush(output);
  return std::move(output.tokens);
}

std::size_t PromptRenderer::n_item_tokens(const std::string& text) const {
  Output output;
  append_item(0, text, output);
  flush(output);
  return output.tokens.size();
}

void PromptRenderer::append_item(std::size_t item, const std::string& text, Output& output) const {
  const Identifiers& identifiers = around_.identifiers;
  for (const auto& part : around_.wording.body) {
    if (part.kind != Kind::kIdentifier) {
      output.pending += fill({part}, text);
      continue;
    }
    // " = {identifier}": the space is inside the identifier's token.
    const bool spaced = identifiers.texts[item].front() == ' ';
    if (spaced && output.pending.ends_with(' ')) output.pending.pop_back();
    flush(output);
    output.tokens.emplace_back(identifiers.tokens[item].value());
  }
}

void PromptRenderer::flush(Output& output) const {
  if (output.pending.empty()) return;
  const auto tokens = around_.tokenizer.encode_text(output.pending);
  output.tokens.insert(output.tokens.end(), tokens.begin(), tokens.end());
  output.pending.clear();
}

std::string PromptRenderer::fill(const PromptTemplate::Parts& parts,
                                 const std::string& item) const {
  std::string out;
  for (const auto& part : parts) {
    switch (part.kind) {
      case Kind::kLiteral:
        out += part.literal;
        break;
      case Kind::kNum:
        out += std::to_string(request_.candidates.size());
        break;
      case Kind::kQuery:
        out += request_.query;
        break;
      case Kind::kHistory:
        out += history_;
        break;
      case Kind::kText:
      case Kind::kTitle:
        out += item;
        break;
      case Kind::kIdentifier:
        RSD_CHECK(false, "an identifier is a token, not a text");
    }
  }
  return out;
}

}  // namespace rsd
