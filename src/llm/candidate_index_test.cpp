// Indices of candidates: what is in one is what would have been encoded, and nothing else is taken
// for it.
#include "rsd/llm/candidate_index_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "llm/block_index_format.h"
#include "rsd/core/check.h"
#include "rsd/core/file.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/prompt/prompt_builder.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::HasSubstr;

const std::string kBpe = "tests/models/tiny-bpe.gguf";
const std::string kOtherBpe = "tests/models/tiny-bpe-userdefined.gguf";
const std::string kPhi2 = "tests/models/tiny-phi2.gguf";
const std::string kMamba = "tests/models/tiny-mamba.gguf";
const std::string kLora = "tests/models/tiny-lora.gguf";
constexpr std::size_t kCache = std::size_t{64} << 20U;

using EnginePtr = std::unique_ptr<LlamaEngine>;
using IndexPtr = std::shared_ptr<const CandidateIndex>;

LlamaOptions options_of(const std::string& model, std::size_t cache_bytes = 0) {
  return {.model_path = model, .prompt_cache_bytes = cache_bytes, .threads = 1};
}

EnginePtr load(const LlamaOptions& options) {
  auto engine = LlamaEngine::load(options);
  RSD_CHECK(engine.ok(), engine ? "" : engine.error().message().c_str());
  return *std::move(engine);
}

PromptBuilder prompts_of(const LlamaEngine& engine) {
  PromptTemplates templates;
  templates.set_default_layout(PromptLayout::kBlocks);
  return {engine.tokenizer(), templates};
}

// Texts of very different lengths, one twice, one blank, one that is cut.
std::vector<NewCandidate> corpus_of(const LlamaEngine& engine) {
  std::vector<std::string> texts{"cats and dogs", "rain", "a red house by the sea", "cats and dogs",
                                 " \n"};
  std::string longer = "music";
  for (int w = 0; w < 40; ++w)
    longer += " of bees " + std::to_string(w);
  texts.push_back(longer);
  while (longer.size() < 3000)
    longer += " " + longer;
  texts.push_back(longer);
  for (int n = 0; n < 6; ++n)
    texts.push_back("text " + std::to_string(n) + std::string(static_cast<std::size_t>(n), 'x'));
  const PromptBuilder prompts = prompts_of(engine);
  std::vector<NewCandidate> corpus;
  for (const std::string& text : texts) {
    auto block = prompts.candidate_block(Task::kPassage, text,
                                         {.context_tokens = engine.info().context_size});
    RSD_CHECK(block.ok(), "a candidate's block");
    corpus.push_back({.id = "d" + std::to_string(corpus.size()),
                      .text = text,
                      .tokens = std::move(block->tokens)});
  }
  return corpus;
}

Result<std::unique_ptr<CandidateIndexWriter>> writer_of(LlamaEngine& engine,
                                                        const std::string& folder,
                                                        BlockType type = BlockType::kF16) {
  auto block = prompts_of(engine).candidate_block(Task::kPassage, "x", {.context_tokens = 512});
  RSD_CHECK(block.ok(), "a head");
  return CandidateIndexWriter::open(
      engine, {.folder = folder, .task = "passage", .head = block->head, .type = type});
}

void write_index(LlamaEngine& engine, const std::string& folder, BlockType type = BlockType::kF16) {
  auto writer = writer_of(engine, folder, type);
  ASSERT_TRUE(writer) << writer.error().message();
  const auto corpus = corpus_of(engine);
  ASSERT_TRUE((*writer)->add(std::span(corpus).first(5)));
  ASSERT_TRUE((*writer)->add(std::span(corpus).subspan(5)));
  ASSERT_TRUE((*writer)->commit(7));
}

IndexPtr opened(const std::string& folder) {
  auto index = CandidateIndex::open(folder);
  RSD_CHECK(index.ok(), index ? "" : index.error().message().c_str());
  return *std::move(index);
}

std::string bytes_of(const std::string& folder) {
  return *read_file(block_index_path(folder));
}

void put_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Candidates of the corpus, and one that is not in it.
Request request_of(const std::vector<NewCandidate>& corpus) {
  Request request{.id = "r", .query = "how do bees make honey?"};
  for (const std::size_t n : {6U, 0U, 2U, 5U, 8U, 3U})
    request.candidates.push_back({.id = corpus[n].id, .text = corpus[n].text});
  request.candidates.push_back({.id = "new", .text = "a text that is in no index"});
  return request;
}

struct Answered {
  Prefill prefill;
  LogitMatrix rows;
};

Answered answer_of(LlamaEngine& engine, const Request& request) {
  // As lists are ranked: the texts are cut first.
  const PromptBuilder prompts = prompts_of(engine);
  const auto fitted = prompts.fit(request, {.context_tokens = engine.info().context_size});
  RSD_CHECK(fitted.ok(), "a request that fits");
  auto prompt = prompts.build(fitted->request, engine.info().context_size);
  RSD_CHECK(prompt.ok(), "a prompt");
  auto scorer = engine.open(*std::move(prompt));
  RSD_CHECK(scorer.ok(), scorer ? "" : scorer.error().message().c_str());
  const auto prefill = (*scorer)->prefill(std::nullopt);
  RSD_CHECK(prefill.ok(), prefill ? "" : prefill.error().message().c_str());
  std::vector<ItemId> proposal;
  for (std::size_t i = request.candidates.size(); i > 0; --i)
    proposal.emplace_back(i - 1);
  auto rows = (*scorer)->encode({.proposal = proposal, .rows = {0, proposal.size()}});
  RSD_CHECK(rows.ok(), rows ? "" : rows.error().message().c_str());
  return {.prefill = *prefill, .rows = std::move(rows->rows)};
}

class IndexedModel : public testing::TestWithParam<std::string> {};

TEST_P(IndexedModel, AnswersAreTheSameToTheLastBitFreshKeptAndIndexed) {
  const TempFolder folder;
  const EnginePtr fresh = load(options_of(GetParam()));
  write_index(*fresh, folder.at("index"));
  const Request request = request_of(corpus_of(*fresh));
  const Answered cold = answer_of(*fresh, request);
  EXPECT_EQ(cold.prefill.candidates_reused, 0U);

  const EnginePtr keeping = load(options_of(GetParam(), kCache));
  (void)answer_of(*keeping, request);
  const Answered kept = answer_of(*keeping, request);
  EXPECT_EQ(kept.prefill.candidates_reused, 7U);
  EXPECT_TRUE(std::ranges::equal(kept.rows.values(), cold.rows.values()));

  LlamaOptions options = options_of(GetParam());
  options.index = opened(folder.at("index"));
  const EnginePtr indexed = load(options);
  const Answered restored = answer_of(*indexed, request);
  EXPECT_EQ(restored.prefill.candidates_reused, 6U) << "all but the new one";
  EXPECT_LT(restored.prefill.n_tokens, cold.prefill.n_tokens / 2);
  EXPECT_TRUE(std::ranges::equal(restored.rows.values(), cold.rows.values()));
  EXPECT_EQ(indexed->prompt_reuse().candidates_indexed, 6U);
  EXPECT_EQ(indexed->prompt_reuse().candidates_encoded, 1U);
  EXPECT_EQ(indexed->prompt_reuse().kept_bytes, 0U) << "what is in the file takes no memory";
}

INSTANTIATE_TEST_SUITE_P(Index, IndexedModel, testing::Values(kBpe, kPhi2),
                         [](const auto& model) { return model.param == kBpe ? "bpe" : "phi2"; });

class CandidateIndexTest : public testing::Test {
 protected:
  std::string folder(const std::string& name = "index") const { return folder_.at(name); }
  // What opening says, or the lookups of all candidates.
  std::string fault_of(const std::string& bytes) {
    std::filesystem::create_directories(folder("damaged"));
    put_bytes(block_index_path(folder("damaged")), bytes);
    auto index = CandidateIndex::open(folder("damaged"));
    if (!index) return index.error().message();
    for (const NewCandidate& candidate : corpus_) {
      if (auto text = (*index)->text_of(candidate.id); !text) return text.error().message();
    }
    if (auto used = engine_->use_index(*index); !used) return used.error().message();
    auto scorer = engine_->open(prompt_of_all());
    const auto prefill = (*scorer)->prefill(std::nullopt);
    return prefill ? "none" : prefill.error().message();
  }

  const Prompt& prompt_of_all() {
    if (!prompt_.tokens.empty()) return prompt_;
    Request request{.id = "r", .query = "bees"};
    for (const NewCandidate& candidate : corpus_)
      if (!candidate.tokens.empty())
        request.candidates.push_back({.id = candidate.id, .text = candidate.text});
    prompt_ = prompts_of(*engine_).build(request, engine_->info().context_size).value();
    return prompt_;
  }

  TempFolder folder_;
  EnginePtr engine_ = load(options_of(kBpe));
  std::vector<NewCandidate> corpus_ = corpus_of(*engine_);
  Prompt prompt_;
};

TEST_F(CandidateIndexTest, HasTextsByIdAndABlockForEachDistinctText) {
  write_index(*engine_, folder());
  const IndexPtr index = opened(folder());
  for (const NewCandidate& candidate : corpus_)
    EXPECT_EQ(*index->text_of(candidate.id), candidate.text);
  EXPECT_EQ(*index->text_of("unknown"), std::nullopt);
  EXPECT_EQ(*index->text_of(""), std::nullopt) << "the head's record is no candidate";
  EXPECT_EQ(index->info().n_candidates, corpus_.size());
  EXPECT_EQ(index->info().n_blocks, corpus_.size() - 2) << "one is blank, one text comes twice";
  EXPECT_EQ(index->info().corpus_digest, 7U);
  EXPECT_EQ(index->info().size_bytes, bytes_of(folder()).size());
}

TEST_F(CandidateIndexTest, TellsItsSizeBeforeItIsWritten) {
  auto writer = writer_of(*engine_, folder());
  ASSERT_TRUE(writer);
  std::uint64_t expected = (*writer)->empty_bytes();
  for (std::size_t n = 0; n < corpus_.size(); ++n) {
    NewCandidate candidate = corpus_[n];
    if (n == 3) candidate.tokens.clear();  // it has the first one's text
    expected += (*writer)->bytes_of(candidate);
  }
  ASSERT_TRUE((*writer)->add(corpus_));
  ASSERT_TRUE((*writer)->commit(0));
  EXPECT_EQ(bytes_of(folder()).size(), expected);
}

TEST_F(CandidateIndexTest, WhatWasInterruptedAnywhereGoesOnToTheSameBytes) {
  write_index(*engine_, folder());
  const std::string whole = bytes_of(folder());
  for (const double share : {0.0, 0.001, 0.01, 0.3, 0.7, 0.99, 1.0}) {
    std::filesystem::create_directories(folder("again"));
    const auto n_bytes = static_cast<std::size_t>(share * static_cast<double>(whole.size()));
    put_bytes(partial_block_index_path(folder("again")), whole.substr(0, n_bytes));
    // In other batches, beside other candidates.
    auto writer = writer_of(*engine_, folder("again"));
    ASSERT_TRUE(writer) << writer.error().message();
    EXPECT_EQ((*writer)->n_kept() > 0, share > 0.2) << share;
    for (std::size_t n = 0; n < corpus_.size(); n += 3)
      ASSERT_TRUE((*writer)->add(
          std::span(corpus_).subspan(n, std::min<std::size_t>(3, corpus_.size() - n))));
    ASSERT_TRUE((*writer)->commit(7));
    EXPECT_TRUE(bytes_of(folder("again")) == whole) << share;
    std::filesystem::remove_all(folder("again"));
  }
}

TEST_F(CandidateIndexTest, AnotherCorpusDoesNotGoOn) {
  {
    auto writer = writer_of(*engine_, folder());
    ASSERT_TRUE((*writer)->add(std::span(corpus_).first(4)));
  }
  auto missing = CandidateIndex::open(folder());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr("not finished"));
  auto writer = writer_of(*engine_, folder());
  ASSERT_TRUE(writer);
  EXPECT_EQ((*writer)->n_kept(), 4U);
  corpus_[2].text += "!";
  const auto added = (*writer)->add(corpus_);
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message(), HasSubstr("\"d2\" (number 3): the corpus has changed"));
}

TEST_F(CandidateIndexTest, TextsThatAreCutOtherwiseDoNotGoOn) {
  {
    auto writer = writer_of(*engine_, folder());
    ASSERT_TRUE((*writer)->add(std::span(corpus_).first(4)));
  }
  for (const std::size_t n : {2U, 3U}) {  // with a block of its own, with that of "d0"
    auto writer = writer_of(*engine_, folder());
    ASSERT_TRUE(writer);
    auto corpus = corpus_;
    corpus[n].tokens.pop_back();
    const auto added = (*writer)->add(corpus);
    ASSERT_FALSE(added);
    EXPECT_THAT(added.error().message(),
                HasSubstr("\"d" + std::to_string(n) + "\" cut to another length"));
  }
}

TEST_F(CandidateIndexTest, APartialFileOfSomethingElseIsNotOverwritten) {
  write_index(*engine_, folder());
  std::string newer = bytes_of(folder());
  newer[8] = 2;
  std::filesystem::create_directories(folder("other"));
  const std::string path = partial_block_index_path(folder("other"));
  for (const std::string& bytes : {newer, std::string("notes of somebody")}) {
    put_bytes(path, bytes);
    EXPECT_FALSE(writer_of(*engine_, folder("other")));
    EXPECT_EQ(*read_file(path), bytes);
  }
  put_bytes(path, std::string(5000, '\0'));  // as after a power cut
  EXPECT_TRUE(writer_of(*engine_, folder("other")));
}

TEST_F(CandidateIndexTest, OneWriterAtATimeAndOneIndexAFolder) {
  {
    auto first = writer_of(*engine_, folder());
    ASSERT_TRUE(first);
    const EnginePtr other = load(options_of(kBpe));
    const auto second = writer_of(*other, folder());
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message(), HasSubstr("another rsd is writing"));
  }
  write_index(*engine_, folder());
  const auto third = writer_of(*engine_, folder());
  ASSERT_FALSE(third);
  EXPECT_THAT(third.error().message(), HasSubstr("is there already"));
}

TEST_F(CandidateIndexTest, DamageIsRefusedWithFileAndPlaceWhereverItIs) {
  write_index(*engine_, folder());
  const std::string whole = bytes_of(folder());
  EXPECT_EQ(fault_of(whole), "none");
  for (std::size_t at = 12; at < whole.size(); at += whole.size() / 61) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    const std::string fault = fault_of(damaged);
    const bool is_filling = damaged[at] == 0x40;  // may lie between pieces
    if (fault == "none" && is_filling) continue;
    EXPECT_THAT(fault, testing::AllOf(HasSubstr("candidates.rsdi"), HasSubstr("byte"))) << at;
  }
  for (const std::size_t n_left : {std::size_t{0}, std::size_t{7}, std::size_t{40},
                                   whole.size() / 2, whole.size() - 64, whole.size() - 1}) {
    EXPECT_THAT(fault_of(whole.substr(0, n_left)), HasSubstr("is damaged at byte")) << n_left;
  }
  EXPECT_THAT(fault_of(whole + "x"), HasSubstr("no trailer"));
  std::string newer = whole;
  newer[8] = 2;
  EXPECT_THAT(fault_of(newer), HasSubstr("is of version 2; this rsd reads version 1"));
  EXPECT_THAT(fault_of("GGUF" + whole), HasSubstr("is no index of rsd"));
}

TEST_F(CandidateIndexTest, AFileThatIsCutOrWrittenToWhileItIsUsedIsAnError) {
  write_index(*engine_, folder());
  const std::string whole = bytes_of(folder());
  const std::string path = block_index_path(folder());
  const auto fault_after = [&](const auto& change) {
    // Times of files are only as fine as the system's ticks.
    std::filesystem::last_write_time(
        path, std::filesystem::last_write_time(path) - std::chrono::seconds(10));
    const IndexPtr index = opened(folder());
    RSD_CHECK(engine_->use_index(index).ok(), "an index of this model");
    change();
    const auto text = index->text_of("d0");
    const auto scorer = engine_->open(prompt_of_all());
    const auto prefill = (*scorer)->prefill(std::nullopt);
    EXPECT_EQ(text.ok(), prefill.ok());
    if (prefill) return std::string("none");
    EXPECT_EQ(prefill.error().message(), text.error().message());
    return text.error().message();
  };
  EXPECT_THAT(fault_after([&] { std::filesystem::resize_file(path, 0); }),
              HasSubstr("was written to or cut while it was in use"));
  put_bytes(path, whole);
  EXPECT_THAT(fault_after([&] { put_bytes(path, whole); }), HasSubstr("was written to or cut"));
  EXPECT_EQ(fault_after([&] {
              put_bytes(path + ".new", "another index");
              std::filesystem::rename(path + ".new", path);
            }),
            "none");
}

TEST_F(CandidateIndexTest, IsRefusedForAnotherModelOrAdapter) {
  write_index(*engine_, folder());
  const auto refusal_of = [&](LlamaOptions options) {
    options.index = opened(folder());
    const auto engine = LlamaEngine::load(options);
    return engine ? "none" : engine.error().message();
  };
  EXPECT_EQ(refusal_of(options_of(kBpe)), "none");
  EXPECT_THAT(refusal_of(options_of(kOtherBpe)),
              HasSubstr("was made with another model: tiny-bpe"));
  LlamaOptions adapted = options_of(kBpe);
  adapted.loras = {{.path = kLora}};
  EXPECT_THAT(refusal_of(adapted), HasSubstr("was made with another LoRA adapter: none; here it"));
  EXPECT_THAT(refusal_of(options_of(kMamba)), HasSubstr("takes no prompts in blocks"));

  const EnginePtr with_adapter = load(adapted);
  write_index(*with_adapter, folder("adapted"));
  adapted.loras.front().scale = 0.5F;
  adapted.index = opened(folder("adapted"));
  const auto scaled = LlamaEngine::load(adapted);
  ASSERT_FALSE(scaled);
  EXPECT_THAT(scaled.error().message(), HasSubstr("x 0.5"));
}

TEST_F(CandidateIndexTest, AWriterWithAnotherHeadOrTypeDoesNotGoOn) {
  { ASSERT_TRUE(writer_of(*engine_, folder())); }
  const auto other = CandidateIndexWriter::open(
      *engine_, {.folder = folder(), .task = "passage", .head = {TokenId(5), TokenId(6)}});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message(), HasSubstr("another prompt template"));

  const std::string partial = partial_block_index_path(folder());
  const std::string begun = *read_file(partial);
  auto header =
      parse_header(partial, {reinterpret_cast<const std::uint8_t*>(begun.data()), begun.size()});
  ASSERT_TRUE(header);
  header->key.type = BlockType::kQ8_0;
  put_bytes(partial, header_bytes(header->key));
  const auto typed = writer_of(*engine_, folder());
  ASSERT_FALSE(typed);
  EXPECT_THAT(typed.error().message(), HasSubstr("is of type q8_0"));
}

TEST_F(CandidateIndexTest, Q8_0IsRefusedForRowsThatItCantTake) {
  const auto writer = writer_of(*engine_, folder(), BlockType::kQ8_0);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(writer.error().message(), HasSubstr("multiple of 32 values; here are 16"));
  EXPECT_FALSE(std::filesystem::exists(partial_block_index_path(folder())));
}

}  // namespace
}  // namespace rsd
