#include "rsd/prompt/prompt_builder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

using Kind = TemplatePart::Kind;

// A text that can be cut behind any of its tokens.
class CuttableText {
 public:
  CuttableText(const Tokenizer& tokenizer, std::string text) : text_(std::move(text)) {
    std::size_t bytes = 0;
    for (const TokenId token : tokenizer.encode_text(text_)) {
      bytes = std::min(bytes + tokenizer.piece(token).size(), text_.size());
      ends_.push_back(bytes);
    }
  }

  std::size_t n_tokens() const { return ends_.size(); }

  std::string first(std::size_t n_tokens) const {
    if (n_tokens >= ends_.size()) return text_;
    std::size_t end = n_tokens == 0 ? 0 : ends_[n_tokens - 1];
    while (end > 0 && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80)
      --end;
    return text_.substr(0, end);
  }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;  // by token: the byte offset behind it
};

// What stands around a request's texts.
struct Surroundings {
  const PromptTemplate& wording;
  const ChatFrame& frame;
  const Identifiers& identifiers;
};

// One request's prompt in the making.
class Renderer {
 public:
  Renderer(const Tokenizer& tokenizer, const Surroundings& surroundings, const Request& request)
      : tokenizer_(tokenizer),
        wording_(surroundings.wording),
        frame_(surroundings.frame),
        identifiers_(surroundings.identifiers),
        request_(request),
        query_(single_line(request.query)) {
    for (const auto& candidate : request.candidates)
      texts_.push_back(single_line(candidate.text));
    const std::size_t first =
        wording_.history_last == 0 || request.history.size() <= wording_.history_last
            ? 0
            : request.history.size() - wording_.history_last;
    for (std::size_t i = first; i < request.history.size(); ++i) {
      history_ += fill(wording_.history_item, single_line(request.history[i]));
    }
  }

  const std::vector<std::string>& texts() const { return texts_; }

  // The whole prompt, with these candidate texts.
  std::vector<TokenId> tokens(const std::vector<std::string>& texts) const {
    std::vector<TokenId> out = frame_.opening;
    if (!wording_.system.empty()) {
      append(out, fill(wording_.system, {}));
      out.insert(out.end(), frame_.between.begin(), frame_.between.end());
    }
    std::string pending = fill(wording_.prefix, {});
    for (std::size_t i = 0; i < texts.size(); ++i) {
      for (const auto& part : wording_.body) {
        if (part.kind == Kind::kIdentifier) {
          // " = {identifier}": the space is inside the identifier's token.
          const bool spaced = identifiers_.texts[i].front() == ' ';
          if (spaced && !pending.empty() && pending.back() == ' ') pending.pop_back();
          append(out, pending);
          pending.clear();
          out.emplace_back(identifiers_.tokens[i].value());
        } else {
          pending += fill({part}, texts[i]);
        }
      }
    }
    append(out, pending + fill(wording_.suffix, {}));
    out.insert(out.end(), frame_.closing.begin(), frame_.closing.end());
    append(out, wording_.answer);
    return out;
  }

 private:
  void append(std::vector<TokenId>& out, const std::string& text) const {
    if (text.empty()) return;
    const auto tokens = tokenizer_.encode_text(text);
    out.insert(out.end(), tokens.begin(), tokens.end());
  }

  // `item` fills {text} and {title}.
  std::string fill(const PromptTemplate::Parts& parts, const std::string& item) const {
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
          out += query_;
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

  const Tokenizer& tokenizer_;
  const PromptTemplate& wording_;
  const ChatFrame& frame_;
  const Identifiers& identifiers_;
  const Request& request_;
  std::string query_;
  std::string history_;
  std::vector<std::string> texts_;
};

// A token rarely stands for more than a few bytes. What is far longer than any prompt can be is cut
// before it is tokenised, so that a huge text costs no more than a long one.
std::string within_reach(const std::string& text, std::size_t max_tokens) {
  constexpr std::size_t kGenerousBytesPerToken = 16;
  std::size_t end = max_tokens * kGenerousBytesPerToken;
  if (text.size() <= end) return text;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return text.substr(0, end);
}

struct Cut {
  std::vector<std::string> texts;
  std::size_t n_cut = 0;
};

Cut cut_all(const std::vector<CuttableText>& texts, const std::vector<std::string>& whole,
            std::size_t limit) {
  Cut cut;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    cut.texts.push_back(texts[i].first(limit));
    if (cut.texts.back().size() < whole[i].size()) ++cut.n_cut;
  }
  return cut;
}

// Of the prompt, and of each text.
struct TokenLimits {
  std::size_t prompt = 0;
  std::size_t text = 0;
};

Result<Prompt> fit(const Renderer& renderer, const Tokenizer& tokenizer,
                   const TokenLimits& limits) {
  const std::size_t max_prompt_tokens = limits.prompt;
  const auto& whole = renderer.texts();
  const bool reachable = std::ranges::all_of(whole, [&](const std::string& text) {
    return within_reach(text, max_prompt_tokens).size() == text.size();
  });
  if (reachable && limits.text >= max_prompt_tokens) {
    Prompt prompt{.tokens = renderer.tokens(whole)};
    if (prompt.tokens.size() <= max_prompt_tokens) return prompt;
  }
  std::vector<CuttableText> texts;
  std::size_t longest = 1;
  for (const auto& text : whole) {
    texts.emplace_back(tokenizer, within_reach(text, max_prompt_tokens));
    longest = std::max(longest, texts.back().n_tokens());
  }
  const auto cut_to = [&](std::size_t limit) {
    const Cut cut = cut_all(texts, whole, limit);
    return Prompt{.tokens = renderer.tokens(cut.texts),
                  .truncated_candidates = cut.n_cut,
                  .text_limit = cut.n_cut > 0 ? std::optional(limit) : std::nullopt};
  };
  Prompt best = cut_to(1);
  if (best.tokens.size() > max_prompt_tokens) {
    return Error(ErrorCode::kTooLong,
                 "the prompt takes " + std::to_string(best.tokens.size()) +
                     " tokens even with every candidate's text cut to 1 token; the context has "
                     "room for " +
                     std::to_string(max_prompt_tokens));
  }
  const std::size_t most = std::min({longest, max_prompt_tokens, limits.text});
  if (Prompt prompt = cut_to(most); prompt.tokens.size() <= max_prompt_tokens) return prompt;
  // The largest limit that fits, by bisection: `low` does, `high` does not.
  std::size_t low = 1;
  std::size_t high = most;
  while (high - low > 1) {
    const std::size_t limit = low + (high - low) / 2;
    Prompt prompt = cut_to(limit);
    if (prompt.tokens.size() <= max_prompt_tokens) {
      best = std::move(prompt);
      low = limit;
    } else {
      high = limit;
    }
  }
  return best;
}

}  // namespace

PromptBuilder::PromptBuilder(std::shared_ptr<const Tokenizer> tokenizer,
                             const PromptTemplates& templates, std::size_t max_items)
    : tokenizer_(std::move(tokenizer)) {
  for (const Task task : {Task::kPassage, Task::kRecommendation}) {
    const PromptTemplate& wording = templates.for_task(task);
    tasks_.emplace(
        task, TaskContext{.prompt_template = wording,
                          .frame = tokenizer_->chat_frame(!wording.system.empty()),
                          .identifiers = find_identifiers(*tokenizer_, wording.answer, max_items)});
  }
}

Result<Prompt> PromptBuilder::build(const Request& request, std::size_t context_tokens,
                                    std::optional<std::size_t> max_text_tokens) const {
  RSD_CHECK(max_text_tokens != 0U, "texts of no tokens");
  const TaskContext& task = tasks_.at(request.task);
  const std::size_t n_items = request.candidates.size();
  if (n_items > task.identifiers.size()) {
    return Error(ErrorCode::kUnsupported, "the request has " + std::to_string(n_items) +
                                              " candidates; this model's tokenizer has " +
                                              std::to_string(task.identifiers.size()) +
                                              " single-token identifiers");
  }
  if (context_tokens <= n_items) {
    return Error(ErrorCode::kTooLong, "a context of " + std::to_string(context_tokens) +
                                          " tokens is too small for " + std::to_string(n_items) +
                                          " identifiers");
  }
  const Renderer renderer(
      *tokenizer_,
      {.wording = task.prompt_template, .frame = task.frame, .identifiers = task.identifiers},
      request);
  const std::size_t room = context_tokens - n_items;
  auto prompt =
      fit(renderer, *tokenizer_, {.prompt = room, .text = max_text_tokens.value_or(room)});
  if (!prompt) return prompt;
  prompt->identifiers.assign(
      task.identifiers.tokens.begin(),
      task.identifiers.tokens.begin() + static_cast<std::ptrdiff_t>(n_items));
  return prompt;
}

const Identifiers& PromptBuilder::identifiers(Task task) const {
  return tasks_.at(task).identifiers;
}

}  // namespace rsd
