#include "rsd/models/default_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "support/temp_folder.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Sets a variable of the environment and restores it after the test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

// A cache and a folder of models for each test.
class DefaultModel : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return folder_.at(name); }
  std::string make(const std::string& name, const std::string& content = "content") const {
    return folder_.write(name, content);
  }

  const TempFolder folder_;
  ModelPlaces places_{.cache_folder = at("cache"), .models_folders = {at("share/models")}};
};

TEST_F(DefaultModel, IsLookedForWhereTheEmbedderSays) {
  const Variable elsewhere("RSD_MODELS_DIR", at("cache"));
  make("cache/smollm2-135m-rank-lora.gguf");
  const std::string adapter = make("share/models/smollm2-135m-rank-lora.gguf");
  const std::string agent = make("share/models/agent.gguf");
  EXPECT_EQ(*project_adapter(places_), adapter);
  EXPECT_EQ(project_agent(places_), agent);
  EXPECT_EQ(*cache_folder(places_), at("cache"));
}

TEST_F(DefaultModel, IsLookedForInEachFolderInTurn) {
  places_.models_folders = {at("none"), at("share/models")};
  const std::string adapter = make("share/models/smollm2-135m-rank-lora.gguf");
  EXPECT_EQ(*project_adapter(places_), adapter);
  fs::remove(adapter);
  const auto missing = project_adapter(places_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr(at("none") + ", " + at("share/models")));
  EXPECT_EQ(project_agent(places_), std::nullopt);
}

TEST_F(DefaultModel, IsLookedForByTheEnvironmentElse) {
  const Variable folder("RSD_MODELS_DIR", at("share/models"));
  const Variable cache("XDG_CACHE_HOME", at("xdg"));
  const std::string adapter = make("share/models/smollm2-135m-rank-lora.gguf");
  EXPECT_EQ(*project_adapter(), adapter);
  EXPECT_EQ(*cache_folder(), at("xdg/rsd"));
  const Variable relative("XDG_CACHE_HOME", "cache");
  const Variable home("HOME", at("home"));
  EXPECT_EQ(*cache_folder(), at("home/.cache/rsd"));
  const Variable no_home("HOME", "home");
  EXPECT_EQ(cache_folder().error().code(), ErrorCode::kNotFound);
}

TEST_F(DefaultModel, IsThatOfTheSourceElse) {
  const Variable none("RSD_MODELS_DIR", "");
  EXPECT_TRUE(project_adapter());
  EXPECT_TRUE(project_agent());
  EXPECT_EQ(example_requests().size(), 2U);
}

TEST_F(DefaultModel, ComesWithTheExamplesBesideItsAdapter) {
  EXPECT_THAT(example_requests(places_), IsEmpty());
  make("share/models/smollm2-135m-rank-lora.gguf");
  const std::string examples = make("share/examples/passages.jsonl");
  EXPECT_THAT(example_requests(places_), ElementsAre(examples));
}

TEST_F(DefaultModel, IsAnotherFileForAnotherAdapterOrType) {
  make("share/models/smollm2-135m-rank-lora.gguf", "one adapter");
  const auto one = default_preparation(WeightType::kF16, places_);
  const auto other_type = default_preparation(WeightType::kQ8_0, places_);
  make("share/models/smollm2-135m-rank-lora.gguf", "another adapter");
  const auto another = default_preparation(WeightType::kF16, places_);
  ASSERT_TRUE(one && other_type && another);
  EXPECT_EQ(fs::path(one->output).parent_path(), at("cache/models"));
  EXPECT_EQ(one->cache_folder, at("cache"));
  EXPECT_NE(one->output, other_type->output);
  EXPECT_NE(one->output, another->output);
}

TEST_F(DefaultModel, IsAnotherFileForPromptsInBlocks) {
  make("share/models/smollm2-135m-rank-lora.gguf", "one adapter");
  const std::string adapter = make("share/models/smollm2-135m-rank-blocks-lora.gguf", "its own");
  const auto sequence = default_preparation(WeightType::kF16, places_);
  const auto blocks = default_preparation(WeightType::kF16, places_, OwnModel::kBlocks);
  ASSERT_TRUE(sequence && blocks);
  EXPECT_EQ(blocks->loras.at(0).path, adapter);
  EXPECT_EQ(blocks->model, sequence->model);
  EXPECT_THAT(blocks->output, HasSubstr("smollm2-135m-rank-blocks-"));
  EXPECT_NE(blocks->output, sequence->output);
  fs::remove(adapter);
  const auto missing = default_preparation(WeightType::kF16, places_, OwnModel::kBlocks);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message(), HasSubstr("smollm2-135m-rank-blocks-lora.gguf"));
}

TEST_F(DefaultModel, HasANameThatIsNoFile) {
  EXPECT_EQ(own_model("default"), OwnModel::kDefault);
  EXPECT_EQ(own_model("default-blocks"), OwnModel::kBlocks);
  EXPECT_EQ(own_model(""), std::nullopt);
  EXPECT_EQ(own_model("./default-blocks"), std::nullopt);
}

TEST_F(DefaultModel, SaysHowToGetTheModelThatItIsMadeOf) {
  make("share/models/smollm2-135m-rank-lora.gguf");
  const auto model = default_model(places_);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(model.error().message(), HasSubstr("rsd model fetch"));
}

TEST_F(DefaultModel, IsNotMadeOfADamagedOne) {
  make("share/models/smollm2-135m-rank-lora.gguf");
  const std::string base = make("cache/models/smollm2-135m-instruct-q4_1.gguf", "not the model");
  const auto model = default_model(places_);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(model.error().message(), HasSubstr("13 bytes in place of 98362432"));
  EXPECT_THAT(find_damage(base, DamageCheck::kSamples), testing::Optional(HasSubstr("13 bytes")));
}

TEST_F(DefaultModel, IsAmongTheCachedOnes) {
  EXPECT_EQ(cached_models(places_).error().code(), ErrorCode::kNotFound);
  const std::string b = make("cache/models/b.gguf");
  const std::string a = make("cache/models/a.gguf");
  make("cache/models/a.gguf.json");
  EXPECT_THAT(*cached_models(places_), ElementsAre(a, b));
}

}  // namespace
}  // namespace rsd
