#include "rsd/agent/agent_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "rsd/agent/agent_policy.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class AgentFileTest : public ::testing::Test {
 protected:
  AgentFileTest()
      : path_(::testing::TempDir() + "rsd_agent_" + std::to_string(getpid()) + ".gguf") {}
  ~AgentFileTest() override { std::filesystem::remove(path_); }

  static AgentFile agent() {
    NetworkShape shape{.d_model = 8, .n_heads = 2, .n_layers = 1, .d_feed_forward = 6, .input = {}};
    shape.input.max_rounds = 3;
    shape.input.round_history = false;
    return {.network = RelevanceNetwork::untrained(shape, 5).value(),
            .notes = {{"model", "m.gguf"}, {"seed", "5"}}};
  }

  Result<AgentFile> load(const std::string& content) const {
    std::ofstream(path_, std::ios::binary) << content;
    return load_agent(path_);
  }

  // The file with the first occurrence of `what` replaced by as many bytes.
  static std::string changed(const std::string& what, const std::string& by) {
    std::string content = serialised(agent());
    const std::size_t at = content.find(what);
    RSD_CHECK(at != std::string::npos && what.size() == by.size(), "something to replace");
    return content.replace(at, by.size(), by);
  }

  std::string path_;
};

TEST_F(AgentFileTest, IsReadBackToTheBit) {
  const AgentFile original = agent();
  const auto loaded = load(serialised(original));
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  EXPECT_EQ(loaded->network.shape(), original.network.shape());
  EXPECT_EQ(loaded->notes, original.notes);
  EXPECT_TRUE(std::ranges::equal(loaded->network.weights(), original.network.weights()));
  EXPECT_EQ(serialised(*loaded), serialised(original));
}

TEST_F(AgentFileTest, AFileThatIsNotAnAgentIsAnError) {
  EXPECT_EQ(load_agent("none.gguf").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(load_agent(::testing::TempDir()).error().code(), ErrorCode::kNotFound) << "a folder";
  EXPECT_EQ(load("").error().code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(load("{}").error().message(), HasSubstr("is no GGUF file"));
  std::ifstream model("tests/models/tiny-bpe.gguf", std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(model), {}};
  ASSERT_FALSE(content.empty());
  EXPECT_THAT(load(content).error().message(), AllOf(HasSubstr(path_), HasSubstr("is no agent")));
}

TEST_F(AgentFileTest, TruncatedFilesAreErrorsAtEveryLength) {
  const std::string content = serialised(agent());
  for (std::size_t size = 0; size < content.size(); size += 97) {
    const auto loaded = load(content.substr(0, size));
    ASSERT_FALSE(loaded) << "cut to " << size;
    EXPECT_EQ(loaded.error().code(), ErrorCode::kInvalidInput);
  }
}

TEST_F(AgentFileTest, DamageOfAnyByteInFrontOfTheWeightsNeitherThrowsNorAborts) {
  const std::string content = serialised(agent());
  const std::size_t n_weights = agent().network.weights().size();
  const std::size_t n_metadata = content.size() - n_weights * sizeof(float);
  for (std::size_t at = 0; at < n_metadata; at += 7) {
    for (const char byte : {'\x00', '\x09', '\xff'}) {
      std::string damaged = content;
      damaged[at] = byte;
      EXPECT_NO_THROW(static_cast<void>(load(damaged))) << "byte " << at;
    }
  }
}

TEST_F(AgentFileTest, NewerVersionsAndOtherFeaturesAreRefused) {
  const std::string version = "rsd.agent.version" + std::string("\4\0\0\0\3", 5);
  const std::string newer = "rsd.agent.version" + std::string("\4\0\0\0\4", 5);
  EXPECT_THAT(load(changed(version, newer)).error().message(),
              HasSubstr("is an agent of version 4; this rsd reads version 3"));
  EXPECT_THAT(load(changed("first row, rank", "first row, rink")).error().message(),
              HasSubstr("\"first row, rink\" in place of \"first row, rank\""));
  EXPECT_THAT(load(changed("first row, rank", "first row, \xFF\x1B[m")).error().message(),
              HasSubstr("\"first row, \uFFFD [m\" in place"))
      << "foreign bytes are shown harmlessly";
}

TEST_F(AgentFileTest, DamagedShapesAndTensorsAreErrors) {
  EXPECT_THAT(load(changed("rsd.agent.n_heads", "rsd.agent.n_haeds")).error().message(),
              HasSubstr("rsd.agent.n_heads is missing"));
  const std::string width = "rsd.agent.d_model" + std::string("\4\0\0\0\10", 5);
  const std::string wider = "rsd.agent.d_model" + std::string("\4\0\0\0\12", 5);
  EXPECT_THAT(load(changed(width, wider)).error().message(), HasSubstr("must be 10 x"));
  EXPECT_THAT(load(changed("out.gain", "out.pain")).error().message(),
              HasSubstr("tensor out.gain is missing"));
  AgentFile infinite = agent();
  infinite.network.weights()[3] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(load(serialised(infinite)).error().message(),
              HasSubstr("tensor in.weight has a value that is not finite"));
}

}  // namespace
}  // namespace rsd
