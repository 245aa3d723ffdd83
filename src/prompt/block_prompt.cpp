#include "prompt/block_prompt.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "prompt/cuttable_text.h"
#include "rsd/core/check.h"
#include "rsd/core/utf8.h"
#include "rsd/rank/content_order.h"

namespace rsd {
namespace {

using Kind = PromptTemplate::Part::Kind;
using FittedRequest = PromptBuilder::FittedRequest;
using TextLimits = PromptBuilder::TextLimits;

// The pieces of a template's prompts, as tokens.
class BlockRenderer {
 public:
  BlockRenderer(const PromptSurroundings& around, const Request& request)
      : around_(around), renderer_(around, request) {
    const auto& body = around.wording.body;
    const auto behind_text =
        std::next(std::ranges::find(body, Kind::kText, &PromptTemplate::Part::kind));
    text_parts_.assign(body.begin(), behind_text);
    const PromptTemplate::Parts mark(behind_text, std::prev(body.end()));
    mark_ = renderer_.fill(mark, {});
    // " = {identifier}": the space is inside the identifier's token.
    const auto& texts = around.identifiers.texts;
    if (mark_.ends_with(' ') && !texts.empty() && texts.front().front() == ' ') mark_.pop_back();
  }

  std::vector<TokenId> head() const {
    const PromptTemplate& wording = around_.wording;
    std::vector<TokenId> tokens = around_.frame.opening;
    if (!wording.system.empty()) {
      append(encode(renderer_.fill(wording.system, {})), tokens);
      append(around_.frame.between, tokens);
    }
    append(encode(renderer_.fill(wording.prefix, {})), tokens);
    return tokens;
  }
  std::vector<TokenId> query() const { return encode(renderer_.fill(around_.wording.suffix, {})); }
  std::vector<TokenId> mark() const { return encode(mark_); }
  std::vector<TokenId> tail() const {
    std::vector<TokenId> tokens = around_.frame.closing;
    append(encode(around_.wording.answer), tokens);
    return tokens;
  }
  std::vector<TokenId> candidate(const std::string& text) const {
    return encode(renderer_.fill(text_parts_, text));
  }

 private:
  static void append(const std::vector<TokenId>& more, std::vector<TokenId>& tokens) {
    tokens.insert(tokens.end(), more.begin(), more.end());
  }
  std::vector<TokenId> encode(const std::string& text) const {
    return text.empty() ? std::vector<TokenId>() : around_.tokenizer.encode_text(text);
  }

  const PromptSurroundings& around_;
  PromptRenderer renderer_;
  PromptTemplate::Parts text_parts_;
  std::string mark_;
};

// What does not depend on the candidates.
struct Frame {
  std::vector<TokenId> head;
  std::vector<TokenId> query;
  std::vector<TokenId> mark;
  std::vector<TokenId> tail;

  explicit Frame(const BlockRenderer& renderer)
      : head(renderer.head()),
        query(renderer.query()),
        mark(renderer.mark()),
        tail(renderer.tail()) {}

  std::size_t n_identifier_tokens() const { return mark.size() + 1; }
};

// A candidate's block takes half of the context at most, as the query does.
std::size_t max_block_tokens(std::size_t context_tokens) {
  return context_tokens / 2;
}

// So many candidates fit a prompt: their identifiers and their places in the ranking, in the cache
// and after the longest text or query that there may be.
std::size_t max_candidates(const Frame& frame, std::size_t context_tokens) {
  const std::size_t longest = std::max(max_block_tokens(context_tokens), frame.query.size());
  const std::size_t steps =
      frame.head.size() + longest + frame.n_identifier_tokens() + frame.tail.size();
  const std::size_t cells = frame.head.size() + frame.query.size() + frame.tail.size();
  if (steps >= context_tokens || cells >= context_tokens) return 0;
  return std::min(context_tokens - steps,
                  (context_tokens - cells) / (frame.n_identifier_tokens() + 1));
}

Error no_room(std::size_t n_items, std::size_t context_tokens, std::size_t n_fitting) {
  return {ErrorCode::kTooLong, "a context of " + std::to_string(context_tokens) +
                                   " tokens has room for " + std::to_string(n_fitting) +
                                   " candidates in blocks; there are " + std::to_string(n_items)};
}

// Each block has something to read: what a later one sees, or where the answer follows.
Result<void> check_blocks(const Frame& frame, const Request& request,
                          const std::vector<std::vector<TokenId>>& texts) {
  for (const auto& [name, tokens] :
       {std::pair("head", &frame.head), {"query", &frame.query}, {"tail", &frame.tail}}) {
    if (!tokens->empty()) continue;
    return Error(ErrorCode::kInvalidInput,
                 "the prompt's " + std::string(name) + " has no token; blocks need one each");
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].empty()) continue;
    return Error(ErrorCode::kInvalidInput, "candidate \"" + request.candidates[i].id +
                                               "\" has no token; blocks need one each");
  }
  return {};
}

struct CutCandidate {
  std::string text;
  std::vector<TokenId> tokens;  // of its block
  std::size_t limit = 0;        // tokens of the text that were allowed
  bool is_cut = false;
};

// The text's tokens may join what stands around it, so the block's size is looked at.
CutCandidate cut_to_block(const BlockRenderer& renderer, const Tokenizer& tokenizer,
                          std::string text, const TextLimits& limits) {
  const std::size_t most = max_block_tokens(limits.context_tokens);
  CutCandidate cut{
      .text = std::move(text), .tokens = {}, .limit = std::min(limits.max_text_tokens, most)};
  cut.is_cut = cut_text(cut.text, tokenizer, cut.limit);
  cut.tokens = renderer.candidate(cut.text);
  while (cut.tokens.size() > most && cut.limit > 1) {
    const std::size_t excess = cut.tokens.size() - most;
    cut.limit -= std::min(cut.limit - 1, excess);
    cut.is_cut = cut_text(cut.text, tokenizer, cut.limit) || cut.is_cut;
    cut.tokens = renderer.candidate(cut.text);
  }
  return cut;
}

// Cuts the request's texts, and gives their blocks' tokens, by item.
std::vector<std::vector<TokenId>> cut_texts(const BlockRenderer& renderer,
                                            const Tokenizer& tokenizer, const TextLimits& limits,
                                            FittedRequest& fitted) {
  std::vector<std::vector<TokenId>> blocks;
  blocks.reserve(fitted.request.candidates.size());
  for (Candidate& candidate : fitted.request.candidates) {
    CutCandidate cut = cut_to_block(renderer, tokenizer, std::move(candidate.text), limits);
    candidate.text = std::move(cut.text);
    blocks.push_back(std::move(cut.tokens));
    if (!cut.is_cut) continue;
    ++fitted.truncated_candidates;
    fitted.text_limit = std::min(cut.limit, fitted.text_limit.value_or(cut.limit));
  }
  return blocks;
}

// Appends blocks to a prompt.
class Assembly {
 public:
  void add(PromptBlock block, const std::vector<TokenId>& tokens) {
    block.first = prompt.tokens.size();
    block.n_tokens = tokens.size();
    prompt.tokens.insert(prompt.tokens.end(), tokens.begin(), tokens.end());
    prompt.blocks.push_back(block);
  }
  std::size_t end_position() const { return prompt.blocks.back().end_position(); }

  Prompt prompt;
};

Prompt assembled(const Frame& frame, const Identifiers& identifiers,
                 const std::vector<std::vector<TokenId>>& texts, const std::vector<ItemId>& order) {
  Assembly assembly;
  assembly.add({.kind = BlockKind::kHead}, frame.head);
  const std::size_t start = frame.head.size();
  for (const ItemId item : order)
    assembly.add({.kind = BlockKind::kCandidate, .position = start, .item = item},
                 texts[item.slot()]);
  assembly.add({.kind = BlockKind::kQuery, .position = start}, frame.query);
  assembly.prompt.identifiers.resize(order.size());
  std::size_t end = start + frame.query.size();
  for (std::size_t place = 0; place < order.size(); ++place) {
    const ItemId item = order[place];
    assembly.prompt.identifiers[item.slot()] = identifiers.tokens[place];
    std::vector<TokenId> tokens = frame.mark;
    tokens.emplace_back(identifiers.tokens[place].value());
    const std::size_t longer = std::max(texts[item.slot()].size(), frame.query.size());
    assembly.add({.kind = BlockKind::kIdentifier, .position = start + longer, .item = item},
                 tokens);
    end = std::max(end, assembly.end_position());
  }
  assembly.add({.kind = BlockKind::kTail, .position = end}, frame.tail);
  return std::move(assembly.prompt);
}

}  // namespace

Result<Prompt> build_block_prompt(const PromptSurroundings& around, const Request& request,
                                  const PromptBuilder::TextLimits& limits) {
  const std::size_t n_items = request.candidates.size();
  RSD_CHECK(n_items <= around.identifiers.size(), "an identifier for every candidate");
  const BlockRenderer renderer(around, request);
  const Frame frame(renderer);
  const std::size_t n_fitting = max_candidates(frame, limits.context_tokens);
  if (n_items > n_fitting) return no_room(n_items, limits.context_tokens, n_fitting);
  PromptBuilder::FittedRequest fitted{.request = request};
  const auto texts = cut_texts(renderer, around.tokenizer, limits, fitted);
  if (auto readable = check_blocks(frame, request, texts); !readable) return readable.error();
  Prompt prompt = assembled(frame, around.identifiers, texts, content_order(fitted.request));
  prompt.truncated_candidates = fitted.truncated_candidates;
  prompt.text_limit = fitted.text_limit;
  return prompt;
}

// The text passes through what a request's texts pass through: it is a line, and cut.
PromptBuilder::CandidateBlock build_candidate_block(const PromptSurroundings& around,
                                                    const std::string& text,
                                                    const PromptBuilder::TextLimits& limits) {
  const Request none;
  const BlockRenderer renderer(around, none);
  PromptBuilder::CandidateBlock block{.head = renderer.head()};
  std::string line = single_line(text);
  if (line.empty()) return block;
  CutCandidate cut = cut_to_block(renderer, around.tokenizer, std::move(line), limits);
  block.tokens = std::move(cut.tokens);
  block.is_cut = cut.is_cut;
  return block;
}

Result<PromptBuilder::FittedRequest> fit_block_prompt(const PromptSurroundings& around,
                                                      Request request,
                                                      const PromptBuilder::TextLimits& limits) {
  PromptBuilder::FittedRequest fitted{.request = std::move(request)};
  const std::size_t n_items = fitted.request.candidates.size();
  const BlockRenderer renderer(around, fitted.request);
  const Frame frame(renderer);
  const std::size_t n_fitting = max_candidates(frame, limits.context_tokens);
  const std::size_t n_least = std::min<std::size_t>(2, n_items);
  if (n_fitting < n_least) return no_room(n_least, limits.context_tokens, n_fitting);
  const auto texts = cut_texts(renderer, around.tokenizer, limits, fitted);
  fitted.frame_tokens = frame.head.size() + frame.query.size() + frame.tail.size();
  for (const auto& text : texts)
    fitted.candidate_tokens += text.size() + frame.n_identifier_tokens() + 1;
  fitted.max_window = std::min({n_items, n_fitting, around.identifiers.size()});
  return fitted;
}

}  // namespace rsd
