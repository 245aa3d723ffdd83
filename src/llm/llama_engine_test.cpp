#include "rsd/llm/llama_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace rsd {
namespace {

using testing::HasSubstr;

const std::string kBpe = "tests/models/tiny-bpe.gguf";
const std::string kSpm = "tests/models/tiny-spm.gguf";
const std::string kMamba = "tests/models/tiny-mamba.gguf";
const std::string kLora = "tests/models/tiny-lora.gguf";
const std::string kWrongLora = "tests/models/tiny-lora-wrong.gguf";

LlamaOptions options_for(const std::string& path) {
  return {.model_path = path, .context_size = 256, .threads = 1};
}

std::string content_of(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

// What loading fails with; kRuntime and a note where it does not fail.
Error error_of(const LlamaOptions& options) {
  const auto engine = LlamaEngine::load(options);
  return engine ? Error(ErrorCode::kRuntime, "no error") : engine.error();
}

Prompt tiny_prompt(const LlamaEngine& engine, const std::string& text) {
  return {.tokens = engine.tokenizer()->encode_text(text),
          .identifiers = {IdentifierToken(40), IdentifierToken(41)}};
}

// Runs one encoding: a damaged model that loads must not bring the process down later.
void use(LlamaEngine& engine) {
  auto scorer = engine.open(tiny_prompt(engine, "Rank the texts\n<|im_start|> é A"));
  if (!scorer || !(*scorer)->prefill(std::nullopt)) return;
  const std::vector<ItemId> proposal{ItemId(0), ItemId(1)};
  (void)(*scorer)->encode({.proposal = proposal, .rows = {0, 2}, .give_up_at = std::nullopt});
}

class DamagedFile : public testing::Test {
 protected:
  DamagedFile() : path_(testing::TempDir() + "rsd_damaged_" + std::to_string(getpid()) + ".gguf") {}
  ~DamagedFile() override { std::filesystem::remove(path_); }

  void write(std::string_view content) const { std::ofstream(path_, std::ios::binary) << content; }

  std::string path_;
};

// A file that was written to gives other weights, one that was cut ends the process where it is
// read.
TEST_F(DamagedFile, ThatIsUsedGivesErrorsAndNoOtherAnswers) {
  const std::string whole = content_of(kBpe);
  const auto fault_after = [&](const auto& change, bool is_open = false) {
    write(whole);
    // Times of files are only as fine as the system's ticks.
    std::filesystem::last_write_time(
        path_, std::filesystem::last_write_time(path_) - std::chrono::seconds(10));
    auto engine = LlamaEngine::load(options_for(path_));
    EXPECT_TRUE(engine);
    if (!is_open) change();
    auto scorer = (*engine)->open(tiny_prompt(**engine, "Rank the texts"));
    if (!scorer) return scorer.error().message();  // the identifiers' weights are read then
    if (is_open) change();
    const auto prefill = (*scorer)->prefill(std::nullopt);
    return prefill ? std::string("none") : prefill.error().message();
  };
  const std::string fault = "model " + path_ + " was written to or cut while it was in use";
  EXPECT_THAT(fault_after([&] { std::filesystem::resize_file(path_, 0); }), HasSubstr(fault));
  EXPECT_THAT(fault_after([&] { write(whole); }), HasSubstr(fault));
  EXPECT_THAT(fault_after([&] { std::filesystem::resize_file(path_, 0); }, true), HasSubstr(fault));
  EXPECT_THAT(fault_after([&] { write(whole); }, true), HasSubstr(fault));
  EXPECT_EQ(fault_after([&] {
              std::filesystem::copy_file(kSpm, path_ + ".new");
              std::filesystem::rename(path_ + ".new", path_);
            }),
            "none");
}

TEST(LlamaEngine, TellsWhatItLoaded) {
  auto engine = LlamaEngine::load({.model_path = kBpe, .threads = 1});
  ASSERT_TRUE(engine) << engine.error().message();
  const ModelInfo& info = (*engine)->info();
  EXPECT_EQ(info.path, kBpe);
  EXPECT_EQ(info.architecture, "llama");
  EXPECT_EQ(info.tokenizer, "BPE");
  EXPECT_EQ(info.chat_format, "own");
  EXPECT_EQ(info.trained_context, 2048U);
  EXPECT_EQ(info.context_size, 2048U);
  EXPECT_TRUE(info.keeps_partial_cache);
  EXPECT_GT(info.n_parameters, 10'000U);
  EXPECT_GT(info.n_vocabulary, 256U);
  EXPECT_FALSE(info.description.empty());
}

TEST(LlamaEngine, TellsTokenizerAndChatFormat) {
  auto engine = LlamaEngine::load(options_for(kSpm));
  ASSERT_TRUE(engine) << engine.error().message();
  EXPECT_EQ((*engine)->info().tokenizer, "SentencePiece");
  EXPECT_EQ((*engine)->info().chat_format, "plain");
  EXPECT_EQ((*engine)->info().context_size, 256U);
}

TEST(LlamaEngine, TellsThatARecurrentModelKeepsNoPartialCache) {
  auto engine = LlamaEngine::load(options_for(kMamba));
  ASSERT_TRUE(engine) << engine.error().message();
  EXPECT_EQ((*engine)->info().architecture, "mamba");
  EXPECT_FALSE((*engine)->info().keeps_partial_cache);
}

TEST(LlamaEngine, TokenizerOutlivesIt) {
  auto engine = LlamaEngine::load(options_for(kBpe));
  ASSERT_TRUE(engine);
  const auto tokenizer = (*engine)->tokenizer();
  engine->reset();
  EXPECT_EQ(tokenizer->piece(tokenizer->encode_text(" A").front()), " A");
}

TEST(LlamaEngine, LogsGoToTheSink) {
  std::vector<std::string> lines;
  auto options = options_for(kBpe);
  options.log = [&](LogLevel, std::string_view line) { lines.emplace_back(line); };
  ASSERT_TRUE(LlamaEngine::load(options));
  EXPECT_FALSE(lines.empty());
  EXPECT_THAT(lines, testing::Each(testing::Not(HasSubstr("\n"))));
  ASSERT_TRUE(LlamaEngine::load(options_for(kBpe)));  // takes the sink away
}

TEST(LlamaEngine, PromptThatExceedsTheContextIsTooLong) {
  auto engine = LlamaEngine::load(options_for(kBpe));
  ASSERT_TRUE(engine);
  EXPECT_TRUE((*engine)->open(tiny_prompt(**engine, std::string(254, 'x'))));
  const auto scorer = (*engine)->open(tiny_prompt(**engine, std::string(255, 'x')));
  ASSERT_FALSE(scorer);
  EXPECT_EQ(scorer.error().code(), ErrorCode::kTooLong);
  EXPECT_EQ(scorer.error().message(), "prompt and ranking take 257 tokens; the context has 256");
}

TEST(LlamaEngine, EmptyPromptIsALogicError) {
  auto engine = LlamaEngine::load(options_for(kBpe));
  ASSERT_TRUE(engine);
  EXPECT_THROW((void)(*engine)->open({}), LogicError);
}

TEST(LlamaEngineError, MissingFileAndFolderAreNotFound) {
  for (const std::string path : {"tests/models/none.gguf", "tests/models"}) {
    const Error error = error_of(options_for(path));
    EXPECT_EQ(error.code(), ErrorCode::kNotFound) << path;
    EXPECT_THAT(error.message(), HasSubstr("model " + path));
  }
}

TEST(LlamaEngineError, NoNameIsAnInvalidArgument) {
  EXPECT_EQ(error_of(options_for("")).code(), ErrorCode::kInvalidArgument);
}

TEST(LlamaEngineError, OptionOutOfRangeIsNamedWithItsLimits) {
  auto options = options_for(kBpe);
  for (const std::size_t size : {std::size_t{1}, std::size_t{31}, (std::size_t{1} << 22) + 1,
                                 std::numeric_limits<std::size_t>::max()}) {
    options.context_size = size;
    const Error error = error_of(options);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << size;
    EXPECT_THAT(error.message(), HasSubstr("ctx-size is " + std::to_string(size)));
  }
  options = options_for(kBpe);
  for (const int threads : {-1, 513}) {
    options.threads = threads;
    EXPECT_EQ(error_of(options).code(), ErrorCode::kInvalidArgument) << threads;
  }
  options = options_for(kBpe);
  options.gpu_layers = -2;
  EXPECT_EQ(error_of(options).code(), ErrorCode::kInvalidArgument);
}

TEST(LlamaEngineError, AdapterIsNoModel) {
  const Error error = error_of(options_for(kLora));
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(error.message(), HasSubstr(kLora));
}

TEST(LlamaEngineError, AdapterMustFitTheModel) {
  auto options = options_for(kBpe);
  for (const std::string& path : {kWrongLora, kBpe}) {
    options.loras = {{.path = path}};
    const Error error = error_of(options);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << path;
    EXPECT_THAT(error.message(), HasSubstr("LoRA adapter " + path));
  }
  options = options_for(kMamba);
  options.loras = {{.path = kLora}};
  EXPECT_EQ(error_of(options).code(), ErrorCode::kInvalidInput);
  options.loras = {{.path = "tests/models/none.gguf"}};
  EXPECT_EQ(error_of(options).code(), ErrorCode::kNotFound);
}

TEST_F(DamagedFile, EmptyOrOtherFileIsInvalid) {
  for (const std::string content : {"", "GG", "a text\n", "GGUF", "GGUF and then a text\n"}) {
    write(content);
    const Error error = error_of(options_for(path_));
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << content;
    EXPECT_THAT(error.message(), HasSubstr(path_));
  }
}

TEST_F(DamagedFile, TruncatedModelIsInvalidWhereverItEnds) {
  const std::string whole = content_of(kBpe);
  ASSERT_GT(whole.size(), 100'000U);
  std::vector<std::size_t> lengths{whole.size() - 1, whole.size() - 32};
  for (std::size_t length = 4; length < 400; length += 7)
    lengths.push_back(length);
  for (std::size_t length = 400; length < whole.size(); length += 1499)
    lengths.push_back(length);
  for (const std::size_t length : lengths) {
    write(std::string_view(whole).substr(0, length));
    EXPECT_EQ(error_of(options_for(path_)).code(), ErrorCode::kInvalidInput) << length;
  }
}

TEST_F(DamagedFile, TruncatedAdapterIsInvalidWhereverItEnds) {
  const std::string whole = content_of(kLora);
  auto options = options_for(kBpe);
  options.loras = {{.path = path_}};
  for (std::size_t length = 4; length < whole.size(); length += 61) {
    write(std::string_view(whole).substr(0, length));
    EXPECT_EQ(error_of(options).code(), ErrorCode::kInvalidInput) << length;
  }
}

TEST_F(DamagedFile, FlippedBytesNeverBringTheProcessDown) {
  constexpr unsigned kSeed = 20260;
  constexpr int kTrials = 250;
  std::mt19937 random(kSeed);
  for (const std::string& model : {kBpe, kSpm, kMamba}) {
    const std::string whole = content_of(model);
    // The metadata and the descriptions of the tensors; any value is fine as a weight.
    const std::size_t end = whole.find("output_norm.weight") + 400;
    int loaded = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      std::string damaged = whole;
      const std::size_t at = random() % (trial % 2 == 0 ? end : 1000);
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
      write(damaged);
      SCOPED_TRACE(model + ", seed " + std::to_string(kSeed) + ", byte " + std::to_string(at));
      auto engine = LlamaEngine::load(options_for(path_));
      if (!engine) continue;
      ++loaded;
      use(**engine);
    }
    std::cout << model << ": " << loaded << " of " << kTrials << " damaged files load\n";
  }
}

TEST_F(DamagedFile, FlippedBytesOfAnAdapterNeverBringTheProcessDown) {
  constexpr unsigned kSeed = 20261;
  std::mt19937 random(kSeed);
  const std::string whole = content_of(kLora);
  auto options = options_for(kBpe);
  options.loras = {{.path = path_}};
  for (int trial = 0; trial < 150; ++trial) {
    std::string damaged = whole;
    const std::size_t at = random() % 900;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
    write(damaged);
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ", byte " + std::to_string(at));
    auto engine = LlamaEngine::load(options);
    if (engine) use(**engine);
  }
}

// llama.cpp aborts the process over these.
TEST_F(DamagedFile, WhatLlamaCppWouldAbortOverIsInvalid) {
  const auto patched = [&](const std::string& model, const std::string& from,
                           const std::string& to) {
    std::string content = content_of(model);
    const std::size_t at = content.find(from);
    EXPECT_NE(at, std::string::npos);
    content.replace(at, to.size(), to);
    write(content);
    return error_of(options_for(path_));
  };
  const std::string layers = "llama.block_count" + std::string("\4\0\0\0", 4);
  const Error none = patched(kBpe, layers, layers + std::string(4, '\0'));
  EXPECT_THAT(none.message(), HasSubstr("block_count is 0"));
  const Error many = patched(kBpe, layers, layers + std::string(4, '\x7f'));
  EXPECT_THAT(many.message(), HasSubstr("block_count is 2139062143; it must be 1 to 512"));
  const std::string epsilon = "layer_norm_rms_epsilon" + std::string("\6\0\0\0", 4);
  const Error negative = patched(kBpe, epsilon, epsilon + std::string("\0\0\x80\xbf", 4));
  EXPECT_THAT(negative.message(), HasSubstr("layer_norm_rms_epsilon is -1"));
  const Error no_byte = patched(kSpm, "<0x41>", "<0x4_>");
  EXPECT_THAT(no_byte.message(), HasSubstr("no token <0x41>"));
  const Error twice = patched(kSpm, "<0x41>", "<0x42>");
  EXPECT_THAT(twice.message(), HasSubstr("repeats an earlier one"));
}

}  // namespace
}  // namespace rsd
