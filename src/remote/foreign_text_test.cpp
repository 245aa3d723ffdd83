// Servers' messages are quoted so that they can't be mistaken for rsd's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "remote/http_answer.h"
#include "remote/npy.h"
#include "remote/protocol.h"
#include "remote/protocol_json.h"
#include "rsd/core/utf8.h"
#include "rsd/remote/remote_engine.h"
#include "support/fake_engine_server.h"
#include "support/fake_tokenizer.h"

namespace rsd {
namespace {

using testing::HasSubstr;

const std::string kForged = "gone\nrsd: error: forged \x1b[2J\x07 \u202e ";
const std::string kLong(2'000'000, 'x');

// One line, of a length that a log can bear, without what a terminal obeys.
void expect_harmless(const std::string& message) {
  EXPECT_LT(message.size(), 2000U);
  EXPECT_FALSE(find_invalid_utf8(message));
  for (const unsigned char c : message)
    EXPECT_TRUE(c >= 0x20 && c != 0x7F) << int{c} << " in " << message;
  EXPECT_EQ(message.find("\u202e"), std::string::npos);
}

TEST(ForeignText, OfAFailureIsOneShortLine) {
  for (const std::string& body :
       {kForged + kLong, R"({"error":{"message":"gone\nrsd: \u001b[2J\u202e)" + kLong + "\"}}",
        "{\"detail\":\"" + kLong + "\"}", std::string("\xff\xfe\x80") + kLong}) {
    expect_harmless(describe({.status = 500, .body = body}));
    expect_harmless(describe({.failure = HttpFailure::kOther, .reason = body}));
  }
}

TEST(ForeignText, IsShownInItsOwnLetters) {
  EXPECT_EQ(describe({.status = 500, .body = "zu groß"}), "status 500: zu groß");
}

TEST(ForeignText, OfABadAnswerIsOneShortLine) {
  const std::vector<TokenId> tokens{TokenId(7), TokenId(8)};
  const std::vector<IdentifierToken> identifiers{IdentifierToken(70), IdentifierToken(71)};
  const RowQuestion question{
      .prompt = tokens, .identifiers = identifiers, .proposal = {}, .rows = {0, 1}};
  const auto refusal = [&](const std::unique_ptr<const Protocol>& protocol,
                           const std::string& answer) {
    const auto parsed = protocol->parse(answer, question);
    EXPECT_FALSE(parsed) << answer.substr(0, 200);
    return parsed ? "" : parsed.error().message();
  };
  const std::string usage = "\"usage\":{\"prompt_tokens\":\"\\u001b" + kLong + "\"}";
  expect_harmless(refusal(vllm_generate_protocol(), "{\"choices\":[{\"index\":0}]," + usage + "}"));
  expect_harmless(refusal(vllm_completions_protocol(),
                          R"({"choices":[{"index":0,"logprobs":{"top_logprobs":[{"token_id:)" +
                              std::string(100'000, '0') + R"(70":null}]}}]})"));
  std::string header = "{'descr':'>f4" + kForged + std::string(50'000, 'x') + "'}";
  const std::string length{static_cast<char>(header.size() & 0xFFU),
                           static_cast<char>(header.size() >> 8U)};
  const auto array = parse_npy("\x93NUMPY\x01" + std::string(1, '\0') + length + header, 1, 2);
  ASSERT_FALSE(array);
  EXPECT_THAT(array.error().message(), HasSubstr("isn't float32"));
  expect_harmless(array.error().message());
}

TEST(ForeignText, OfAnotherTokenizerIsOneShortLine) {
  FakeEngineServer server({.detokenized = kForged + kLong});
  RemoteOptions options;
  options.urls = {server.url()};
  options.tokenizer = std::make_shared<FakeTokenizer>(std::vector<std::string>{});
  const auto engine = RemoteEngine::connect(options);
  ASSERT_FALSE(engine);
  EXPECT_THAT(engine.error().message(), HasSubstr("it reads \"gone rsd: error: forged [2J"));
  expect_harmless(engine.error().message());
}

TEST(ForeignText, IsNoNameOfAModel) {
  for (const std::string& name : {kForged, kLong, std::string("a  b"), std::string()}) {
    FakeEngineServer server({.model = name});
    RemoteOptions options;
    options.urls = {server.url()};
    const auto model = RemoteEngine::served_model(options);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code(), ErrorCode::kUnsupported);
    expect_harmless(model.error().message());
  }
}

}  // namespace
}  // namespace rsd
