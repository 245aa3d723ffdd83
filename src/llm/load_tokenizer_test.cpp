#include "rsd/llm/load_tokenizer.h"

#include <gguf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "rsd/llm/llama_engine.h"
#include "support/default_model.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

constexpr const char* kTinyModel = "tests/models/tiny-bpe.gguf";

const char* const kSmollm = R"({"type": "Sequence", "pretokenizers": [
  {"type": "Digits", "individual_digits": true},
  {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]})";

// The files that the model's makers would have shipped, from what its GGUF holds.
class HfFiles {
 public:
  explicit HfFiles(const std::string& model) {
    gguf_context* gguf = gguf_init_from_file(model.c_str(), {.no_alloc = true, .ctx = nullptr});
    const auto at = [gguf](const char* key) { return gguf_find_key(gguf, key); };
    const auto tokens = at("tokenizer.ggml.tokens");
    const auto* types =
        static_cast<const std::int32_t*>(gguf_get_arr_data(gguf, at("tokenizer.ggml.token_type")));
    Json vocab = Json::object();
    Json added = Json::array();
    constexpr std::int32_t kNormal = 1;
    constexpr std::int32_t kControl = 3;
    for (std::size_t id = 0; id < gguf_get_arr_n(gguf, tokens); ++id) {
      const char* text = gguf_get_arr_str(gguf, tokens, id);
      if (types[id] == kNormal) {
        vocab[text] = id;
      } else {
        added.push_back({{"id", id}, {"content", text}, {"special", types[id] == kControl}});
      }
    }
    Json merges = Json::array();
    const auto pairs = at("tokenizer.ggml.merges");
    for (std::size_t n = 0; n < gguf_get_arr_n(gguf, pairs); ++n)
      merges.push_back(gguf_get_arr_str(gguf, pairs, n));
    tokenizer = {{"added_tokens", added},
                 {"normalizer", nullptr},
                 {"pre_tokenizer", Json::parse(kSmollm)},
                 {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
    const auto name_of = [&](const char* key) -> Json {
      if (at(key) < 0) return nullptr;
      return gguf_get_arr_str(gguf, tokens, gguf_get_val_u32(gguf, at(key)));
    };
    config = {{"bos_token", name_of("tokenizer.ggml.bos_token_id")},
              {"eos_token", {{"content", name_of("tokenizer.ggml.eos_token_id")}}}};
    if (at("tokenizer.ggml.add_bos_token") >= 0)
      config["add_bos_token"] = gguf_get_val_bool(gguf, at("tokenizer.ggml.add_bos_token"));
    if (at("tokenizer.chat_template") >= 0)
      config["chat_template"] = gguf_get_val_str(gguf, at("tokenizer.chat_template"));
    gguf_free(gguf);
  }

  Result<std::shared_ptr<const Tokenizer>> load() const {
    return load(tokenizer.dump(), config.dump());
  }
  Result<std::shared_ptr<const Tokenizer>> load(const std::string& tokenizer_text,
                                                const std::string& config_text) const {
    folder_.write("tokenizer.json", tokenizer_text);
    folder_.write("tokenizer_config.json", config_text);
    return load_tokenizer(folder_.at(""), {});
  }

  std::string at(const std::string& name) const { return folder_.at(name); }

  Json tokenizer;
  Json config;

 private:
  TempFolder folder_;
};

std::vector<std::string> many_texts() {
  std::vector<std::string> texts{
      "",
      "how to split peas",
      " leading, trailing ",
      "I'll don't WE'VE",
      "1234567 3.14 x2",
      "tabs\tand\n\nlines\r\n",
      "<|im_start|>user<|im_end|>",
      "naïve café, Straße, Ελλάδα, Привет, 日本語, 🙂👍🏽",
      "    four spaces     five",
      "a_b-c/d\\e (f) [g] {h} \"i\"…",
      std::string(5000, 'a')};
  std::mt19937 random(1);
  const std::string alphabet = "ab cd\nEF12.,'\"-!?<|>éßд日";
  for (int n = 0; n < 200; ++n) {
    std::string text;
    for (int k = 0; k < 40; ++k)
      text += alphabet[random() % 20];  // the ASCII part
    texts.push_back(text);
  }
  return texts;
}

void expect_same(const Tokenizer& one, const Tokenizer& other) {
  for (const auto& text : many_texts())
    EXPECT_EQ(one.encode_text(text), other.encode_text(text)) << text;
  for (const bool with_system_text : {false, true}) {
    const ChatFrame frame = one.chat_frame(with_system_text);
    const ChatFrame same = other.chat_frame(with_system_text);
    EXPECT_EQ(frame.opening, same.opening);
    EXPECT_EQ(frame.between, same.between);
    EXPECT_EQ(frame.closing, same.closing);
  }
}

TEST(LoadTokenizer, IsTheTokenizerOfTheLoadedModel) {
  const auto tokenizer = load_tokenizer(kTinyModel, {});
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  const auto engine = LlamaEngine::load({.model_path = kTinyModel, .threads = 1});
  ASSERT_TRUE(engine);
  expect_same(**tokenizer, *(*engine)->tokenizer());
}

TEST(LoadTokenizer, FilesThatAreNoneAreTold) {
  EXPECT_EQ(load_tokenizer("no such file", {}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(load_tokenizer("no/such/tokenizer.json", {}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(load_tokenizer("tests/models", {}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(load_tokenizer("CMakeLists.txt", {}).error().code(), ErrorCode::kInvalidInput);
}

TEST(HfTokenizer, IsTheOneOfTheModelsGguf) {
  const HfFiles files(kTinyModel);
  const auto tokenizer = files.load();
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  expect_same(**tokenizer, **load_tokenizer(kTinyModel, {}));
}

TEST(HfTokenizer, IsTheOneOfTheDefaultModelsGguf) {
  RSD_REQUIRE_DEFAULT_MODEL();
  const HfFiles files(default_model_path());
  const auto tokenizer = files.load();
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  expect_same(**tokenizer, **load_tokenizer(default_model_path(), {}));
}

TEST(HfTokenizer, TheFormOfMergesDoesNotMatter) {
  HfFiles files(kTinyModel);
  for (Json& merge : files.tokenizer["model"]["merges"]) {
    const auto text = merge.get<std::string>();
    const auto space = text.find(' ');
    merge = Json::array({text.substr(0, space), text.substr(space + 1)});
  }
  const auto tokenizer = files.load();
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  expect_same(**tokenizer, **load_tokenizer(kTinyModel, {}));
}

TEST(HfTokenizer, OtherKindsAreUnsupported) {
  const auto refusal = [](auto change) {
    HfFiles files(kTinyModel);
    change(files.tokenizer);
    const auto loaded = files.load();
    return loaded || loaded.error().code() != ErrorCode::kUnsupported ? ""
                                                                      : loaded.error().message();
  };
  EXPECT_THAT(refusal([](Json& t) { t["model"]["type"] = "Unigram"; }), HasSubstr("BPE"));
  EXPECT_THAT(refusal([](Json& t) { t["model"]["byte_fallback"] = true; }), HasSubstr("bytes"));
  EXPECT_THAT(refusal([](Json& t) { t["model"]["end_of_word_suffix"] = "</w>"; }),
              HasSubstr("end_of_word_suffix"));
  EXPECT_THAT(refusal([](Json& t) {
                t["normalizer"] = {{"type", "Lowercase"}};
              }),
              HasSubstr("normalizer"));
  EXPECT_THAT(refusal([](Json& t) { t["pre_tokenizer"]["pretokenizers"].erase(0); }),
              HasSubstr("pre-tokenizer"));
  EXPECT_THAT(refusal([](Json& t) {
                t["pre_tokenizer"] = {{"type", "Metaspace"}};
              }),
              HasSubstr("pre-tokenizer"));
  EXPECT_THAT(refusal([](Json& t) { t["added_tokens"][0]["lstrip"] = true; }), HasSubstr("lstrip"));
}

TEST(HfTokenizer, DamagedFilesAreTold) {
  const auto code = [](auto change) {
    HfFiles files(kTinyModel);
    change(files.tokenizer);
    const auto loaded = files.load();
    return loaded ? std::string("none") : std::string(to_string(loaded.error().code()));
  };
  EXPECT_EQ(code([](Json& t) { t = 3; }), "invalid_input");
  EXPECT_EQ(code([](Json& t) { t.erase("model"); }), "invalid_input");
  EXPECT_EQ(code([](Json& t) { t["model"]["vocab"]["x"] = -1; }), "invalid_input");
  EXPECT_EQ(code([](Json& t) { t["model"]["vocab"]["x"] = 4'000'000'000; }), "invalid_input");
  EXPECT_EQ(code([](Json& t) { t["model"]["merges"][0] = 3; }), "invalid_input");
}

TEST(HfTokenizer, FilesThatNestWithoutEndAreTold) {
  const HfFiles files(kTinyModel);
  const std::string deep =
      R"({"added_tokens":)" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}";
  EXPECT_THAT(files.load(deep, "{}").error().message(), HasSubstr("deeper than 512 levels"));
  const auto beside = files.load(files.tokenizer.dump(), deep);
  ASSERT_FALSE(beside);
  EXPECT_THAT(beside.error().message(), HasSubstr("tokenizer_config.json"));
  EXPECT_THAT(beside.error().message(), HasSubstr("deeper than 512 levels"));
}

// The standard library opens folders as if they were files, and throws when they are read.
TEST(HfTokenizer, AFolderInPlaceOfAFileIsAnError) {
  HfFiles files(kTinyModel);
  files.config.erase("chat_template");
  std::filesystem::create_directory(files.at("chat_template.jinja"));
  const auto loaded = files.load();
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message(), HasSubstr("chat_template.jinja: can't be opened: Is a"));
}

}  // namespace
}  // namespace rsd
