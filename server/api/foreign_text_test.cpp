#include <gmock/gmock.h>

#include "rsd/core/shown_text.h"
#include "server/api/foreign_body.h"
#include "server/api/json_body.h"
#include "server/api/rank_shape.h"
#include "server/http/access_log.h"

namespace rsd::server {
namespace {

// What ends lines, drives terminals, turns or hides text, and what is no UTF-8.
const std::string kHostile =
    "a\r\nforged 200\x1b[2J\x7f\xc2\x9b"
    "31m\xe2\x80\xae\xe2\x80\xa8\xef\xbb\xbf\xff\xc3";

bool is_safe(const std::string& text) {
  return shown_text(text, text.size()) == text;
}

TEST(ForeignText, IsWhatLogsHoldOfOthers) {
  const AccessRecord record{.request_id = kHostile,
                            .client = kHostile,
                            .method = kHostile,
                            .path = kHostile + std::string(1u << 20U, 'x'),
                            .notes = {.failure = kHostile + std::string(36u << 20U, 'x')}};
  for (const std::string& line :
       {text_line(record), json_line(record, "now", "info"),
        json_line(record.notes.failure, "now", "error"), message_line(record.notes.failure)}) {
    EXPECT_TRUE(is_safe(line)) << line.substr(0, 300);
    EXPECT_LT(line.size(), 20'000U);
  }
}

TEST(ForeignText, IsWhatMessagesHoldOfOthers) {
  const std::string hostile = kHostile.substr(0, kHostile.find('\xff'));  // bodies are UTF-8
  EXPECT_TRUE(is_safe(shown_names({hostile + std::string(1000, 'x')})));
  EXPECT_TRUE(is_safe(wrong_value("field", Json(hostile), "a number").message()));
  const Json item{{"id", hostile + std::string(1000, 'x')}, {"query", "q"}, {"candidates", {"a"}}};
  const Json body{{"requests", {item, item}}};
  auto parsed = parse_rank(body, "call", {});
  const auto& second = std::get<RankCall>(parsed).items[1].request;
  const std::string& message = std::get<Failure>(second).message;
  EXPECT_TRUE(is_safe(message)) << message;
  EXPECT_LT(message.size(), 200U);
}

}  // namespace
}  // namespace rsd::server
