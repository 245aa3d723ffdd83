#include "remote/replica_set.h"

#include <gtest/gtest.h>

namespace rsd {
namespace {

const Clock::time_point kNow{};
const auto kAny = [](std::size_t) { return true; };

ReplicaSet three() {
  return {{"a", "b", "c"},
          {.failures_to_open = 1,
           .open_time = std::chrono::seconds(1),
           .max_open_time = std::chrono::seconds(1)}};
}

TEST(ReplicaUrl, IsTakenWithoutWhatStandsForThePathsOfTheServer) {
  for (const char* text :
       {"http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/"})
    EXPECT_EQ(*parse_replica_url(text), "http://h:8000") << text;
  EXPECT_EQ(*parse_replica_url("https://h/llm/v1"), "https://h/llm");
  EXPECT_EQ(*parse_replica_url("HTTP://Host-1.example:65535"), "http://Host-1.example:65535");
  EXPECT_EQ(*parse_replica_url("http://[::1]:8000"), "http://[::1]:8000");
}

TEST(ReplicaUrl, IsRefusedWhereItIsNone) {
  for (const char* text : {"",
                           "h:8000",
                           "ftp://h",
                           "http://",
                           "http://:80",
                           "http:///v1",
                           "http://h/a b",
                           "http://h/?x=1",
                           "http://h/#x",
                           "http://h\n",
                           "http://h:99999",
                           "http://h:0",
                           "http://h:abc",
                           "http://h:",
                           "http://h:80:81",
                           "http://https://h",
                           "http://h,http://g",
                           "http://h:1,http://g:2",
                           "http://[]:80",
                           "http://[::1"}) {
    EXPECT_EQ(parse_replica_url(text).error().code(), ErrorCode::kInvalidArgument) << text;
  }
}

TEST(ReplicaUrl, APasswordIsRefusedAndNotRepeated) {
  const auto parsed = parse_replica_url("http://user:secret@h");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message().find("secret"), std::string::npos);
}

TEST(ReplicaChoice, TheLeastLoadedIsAsked) {
  auto replicas = three();
  replicas[0].n_under_way = 2;
  replicas[1].n_bound = 1;
  EXPECT_EQ(replicas.pick(kNow, std::nullopt, kAny), 2U);
  replicas[2].n_under_way = 3;
  EXPECT_EQ(replicas.pick(kNow, std::nullopt, kAny), 1U);
}

TEST(ReplicaChoice, ThePreferredOneIsAskedWhateverItsLoad) {
  auto replicas = three();
  replicas[1].n_under_way = 100;
  EXPECT_EQ(replicas.pick(kNow, 1, kAny), 1U);
}

TEST(ReplicaChoice, WhatIsBusyOrLeftAloneIsNotAsked) {
  auto replicas = three();
  replicas[0].breaker.note_failure(kNow, false);
  replicas[1].busy_until = kNow + std::chrono::seconds(1);
  EXPECT_EQ(replicas.pick(kNow, 0, kAny), 2U);
  EXPECT_EQ(replicas.pick(kNow, 0, [](std::size_t n) { return n != 2; }), std::nullopt);
}

}  // namespace
}  // namespace rsd
