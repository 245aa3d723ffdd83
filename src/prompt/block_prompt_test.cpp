#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/content_order.h"
#include "support/prompts.h"

namespace rsd {
namespace {

using testing::HasSubstr;

constexpr std::size_t kContext = 8192;

// Head "<open>h", candidates "t" + text, query "q" + query, identifiers "=X", tail "<close>R:".
PromptTemplates short_blocks() {
  return templates_of(
      "layout: blocks\n"
      "task: passage\n"
      "prefix: 'h'\n"
      "body: 't{text} = {identifier}'\n"
      "suffix: 'q{query}'\n"
      "answer: 'R:'\n");
}

class BlockPrompt : public testing::Test {
 protected:
  Prompt build(const Request& request, std::size_t context = kContext) const {
    auto prompt = builder_.build(request, context);
    EXPECT_TRUE(prompt) << prompt.error().message();
    return prompt ? *std::move(prompt) : Prompt();
  }
  std::string text_of(const Prompt& prompt, const PromptBlock& block) const {
    const auto begin = prompt.tokens.begin() + static_cast<std::ptrdiff_t>(block.first);
    return tokenizer_->text_of({begin, begin + static_cast<std::ptrdiff_t>(block.n_tokens)});
  }

  std::shared_ptr<const FakeTokenizer> tokenizer_ = spaced_tokenizer();
  PromptBuilder builder_{tokenizer_, short_blocks()};
};

const PromptBlock& block_of(const Prompt& prompt, BlockKind kind, ItemId item = {}) {
  return *std::ranges::find_if(prompt.blocks, [&](const PromptBlock& block) {
    return block.kind == kind && block.item == item;
  });
}

TEST_F(BlockPrompt, LaysBlocksOutByContent) {
  const Request request = passage_request("cats?", {"one", "three"});
  const Prompt prompt = build(request);
  const auto order = content_order(request);
  const auto text = [&](std::size_t place) { return request.candidates[order[place].slot()].text; };
  EXPECT_EQ(tokenizer_->text_of(prompt.tokens),
            "<open>ht" + text(0) + "t" + text(1) + "qcats? = A = B<close>R:");
  EXPECT_EQ(tokenizer_->piece(TokenId(prompt.identifiers[order[0].slot()].value())), " A");
  EXPECT_EQ(tokenizer_->piece(TokenId(prompt.identifiers[order[1].slot()].value())), " B");
  std::size_t next = 0;
  for (const PromptBlock& block : prompt.blocks) {
    EXPECT_EQ(block.first, next);
    next += block.n_tokens;
  }
  EXPECT_EQ(next, prompt.tokens.size());
}

TEST_F(BlockPrompt, PositionsGoOnFromWhatABlockSees) {
  const Prompt prompt = build(passage_request("aquery", {"x", "longerthanit"}));
  const auto kind = [&](BlockKind which, int item = 0) {
    return block_of(prompt, which, ItemId(item));
  };
  EXPECT_EQ(kind(BlockKind::kHead).position, 0U);
  EXPECT_EQ(kind(BlockKind::kCandidate, 0).position, 2U);
  EXPECT_EQ(kind(BlockKind::kCandidate, 1).position, 2U);
  EXPECT_EQ(kind(BlockKind::kQuery).position, 2U);
  // After "qaquery", which is longer than "tx", and after "tlongerthanit".
  EXPECT_EQ(kind(BlockKind::kIdentifier, 0).position, 2U + 7);
  EXPECT_EQ(kind(BlockKind::kIdentifier, 1).position, 2U + 13);
  EXPECT_EQ(kind(BlockKind::kTail).position, 2U + 13 + 3);
  EXPECT_EQ(prompt.end_position(), kind(BlockKind::kTail).end_position());
  EXPECT_EQ(prompt.n_seen(), prompt.tokens.size() - 2 - 13);
}

// By text: its block's tokens, and its identifier.
using ByText = std::multimap<std::string, std::pair<std::string, std::int32_t>>;

TEST_F(BlockPrompt, IsTheSameInWhateverOrderTheCandidatesCome) {
  const std::vector<std::string> texts{"one", "two", "three", "four", "two", "five", "one"};
  Request request = passage_request("which?", texts);
  const Prompt first = build(request);
  const auto by_text = [&](const Prompt& prompt) {
    ByText found;
    for (std::size_t i = 0; i < texts.size(); ++i)
      found.emplace(request.candidates[i].text,
                    std::pair(text_of(prompt, block_of(prompt, BlockKind::kCandidate, ItemId(i))),
                              prompt.identifiers[i].value()));
    return found;
  };
  const ByText expected = by_text(first);
  std::mt19937 generator(7);
  for (int shuffle = 0; shuffle < 20; ++shuffle) {
    std::ranges::shuffle(request.candidates, generator);
    const Prompt prompt = build(request);
    EXPECT_EQ(prompt.tokens, first.tokens);
    const ByText found = by_text(prompt);
    for (const std::string& text : texts) {
      const auto identifiers = [&](const ByText& map) {
        std::vector<std::int32_t> all;
        for (auto [at, end] = map.equal_range(text); at != end; ++at)
          all.push_back(at->second.second);
        std::ranges::sort(all);
        return all;
      };
      EXPECT_EQ(identifiers(found), identifiers(expected)) << text;
    }
  }
}

TEST_F(BlockPrompt, ATextIsCutTheSameInAnyCompany) {
  const std::string huge(500, 'x');
  const auto tokens_of = [&](const Request& request) {
    const Prompt prompt = build(request, 200);
    return block_of(prompt, BlockKind::kCandidate, ItemId(0)).n_tokens;
  };
  EXPECT_EQ(tokens_of(passage_request("q", {huge, "b"})), 100U);
  EXPECT_EQ(tokens_of(passage_request("a longer query", {huge, std::string(300, 'y'), "b", "c"})),
            100U);
  const auto cut = builder_.build(passage_request("q", {huge, "b"}), 200);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->truncated_candidates, 1U);
  EXPECT_EQ(cut->text_limit, 99U);
}

TEST_F(BlockPrompt, ACandidatesBlockByItselfIsThatOfItsPrompts) {
  const PromptBuilder::TextLimits limits{.context_tokens = 200, .max_text_tokens = 40};
  for (const std::string& text :
       {std::string("one"), std::string(" two\n lines "), std::string(500, 'x')}) {
    const auto block = builder_.candidate_block(Task::kPassage, text, limits);
    ASSERT_TRUE(block);
    const auto fitted = builder_.fit(passage_request("q", {text, "b"}), limits);
    ASSERT_TRUE(fitted);
    const Prompt prompt = build(fitted->request, limits.context_tokens);
    EXPECT_EQ(tokenizer_->text_of(block->head), text_of(prompt, prompt.blocks.front()));
    EXPECT_EQ(tokenizer_->text_of(block->tokens),
              text_of(prompt, block_of(prompt, BlockKind::kCandidate, ItemId(0))));
    EXPECT_EQ(block->is_cut, fitted->truncated_candidates == 1);
  }
  EXPECT_TRUE(builder_.candidate_block(Task::kPassage, " \n", limits)->tokens.empty());
  const auto refused = builder_.candidate_block(Task::kRecommendation, "x", limits);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
}

TEST_F(BlockPrompt, WhatFitsIsBuiltInOnePromptWhateverTheTextsTake) {
  std::vector<std::string> texts;
  for (int i = 0; i < 20; ++i)
    texts.push_back(std::string(90, static_cast<char>('a' + i)));
  const auto fitted = builder_.fit(passage_request("q", texts), {.context_tokens = 256});
  ASSERT_TRUE(fitted);
  EXPECT_EQ(fitted->max_window, 20U);
  EXPECT_EQ(fitted->truncated_candidates, 0U);
  const auto prompt = builder_.build(fitted->request, 256);
  ASSERT_TRUE(prompt) << prompt.error().message();
  EXPECT_GT(prompt->tokens.size(), 1800U);
  EXPECT_LE(prompt->n_seen() + 20, 256U);
  EXPECT_LE(prompt->end_position() + 20, 256U);
}

TEST_F(BlockPrompt, SaysWhereTheContextHasNoRoom) {
  const auto fitted = builder_.fit(passage_request("q", {"a", "b"}), {.context_tokens = 16});
  ASSERT_FALSE(fitted);
  EXPECT_EQ(fitted.error().code(), ErrorCode::kTooLong);
  std::vector<std::string> texts(20, "t");
  const auto prompt = builder_.build(passage_request("q", texts), 64);
  ASSERT_FALSE(prompt);
  EXPECT_EQ(prompt.error().code(), ErrorCode::kTooLong);
  EXPECT_THAT(prompt.error().message(), HasSubstr("there are 20"));
}

TEST_F(BlockPrompt, BuiltInTemplatesRender) {
  PromptTemplates templates;
  EXPECT_FALSE(templates.has_blocks());
  templates.set_default_layout(PromptLayout::kBlocks);
  EXPECT_TRUE(templates.has_blocks());
  const PromptBuilder builder(tokenizer_, templates);
  Request request = passage_request("cats?", {"one"});
  auto prompt = builder.build(request, kContext);
  ASSERT_TRUE(prompt);
  EXPECT_EQ(tokenizer_->text_of(prompt->tokens),
            "<open>Rank the texts by relevance to the query.\n- one\nQuery: cats?\n = A"
            "<close>Ranking:");
  request.task = Task::kRecommendation;
  request.history = {"Risk", "Go"};
  prompt = builder.build(request, kContext);
  ASSERT_TRUE(prompt);
  EXPECT_EQ(tokenizer_->text_of(prompt->tokens),
            "<open>Rank the candidates by how likely the user is to choose them next.\n- one"
            "\nThe user has liked, in order:\n- Risk\n- Go\n = A<close>Ranking:");
}

TEST(BlockTemplates, ASetTemplateKeepsItsLayout) {
  PromptTemplates templates =
      templates_of("task: passage\nprefix: '{query}'\nbody: '{text}{identifier}'\nanswer: ''\n");
  templates.set_default_layout(PromptLayout::kBlocks);
  EXPECT_EQ(templates.for_task(Task::kPassage).layout, PromptLayout::kSequence);
  EXPECT_EQ(templates.for_task(Task::kRecommendation).layout, PromptLayout::kBlocks);
}

TEST(BlockTemplates, RefuseWhatWouldBindABlockToARequest) {
  const std::string good =
      "layout: blocks\ntask: passage\nprefix: h\nbody: '{text} {identifier}'\nsuffix: "
      "'{query}'\nanswer: R\n";
  ASSERT_TRUE(PromptTemplate::parse(good, "f"));
  const auto refused = [&](const std::string& part, const std::string& by) {
    std::string changed = good;
    const auto at = changed.find(part);
    changed.replace(at, part.size(), by);
    const auto parsed = PromptTemplate::parse(changed, "f");
    return parsed ? "accepted" : parsed.error().message();
  };
  EXPECT_EQ(refused("prefix: h", "prefix: '{query}'"),
            "f:3: prefix has \"{query}\"; what may stand there: no placeholder");
  EXPECT_EQ(refused("prefix: h", "prefix: '{num}'"),
            "f:3: prefix has \"{num}\"; what may stand there: no placeholder");
  EXPECT_EQ(refused("'{query}'", "'{num}{query}'"),
            "f:5: suffix has \"{num}\"; what may stand there: {query}");
  EXPECT_EQ(refused("{text} {identifier}", "{identifier} {text}"),
            "f:4: body must have {text} before {identifier} and end in it");
  EXPECT_EQ(refused("{identifier}'", "{identifier}\\n'"),
            "f:4: body must have {text} before {identifier} and end in it");
  EXPECT_THAT(refused("'{query}'", "'x'"), HasSubstr("has {query}"));
  EXPECT_EQ(refused("layout: blocks", "layout: block"),
            "f:1: layout \"block\" is unknown; it must be sequence or blocks");
}

}  // namespace
}  // namespace rsd
