#include "server/http/chunked_body.h"

#include <gtest/gtest.h>

#include <string>

namespace rsd::server {
namespace {

struct Read {
  std::string plain;
  std::size_t n_taken = 0;
  bool whole = false;
  bool broken = false;
};

// In pieces of `step` bytes.
Read read(const std::string& bytes, std::size_t step) {
  ChunkedBody body;
  Read read;
  while (read.n_taken < bytes.size() && !body.is_whole() && !body.is_broken())
    read.n_taken += body.take(std::string_view(bytes).substr(read.n_taken, step), read.plain);
  read.whole = body.is_whole();
  read.broken = body.is_broken();
  return read;
}

TEST(ChunkedBody, ExtensionsAndTrailersAreLeftOut) {
  const std::string bytes =
      "5;name=\"value\"\r\nhello\r\n0A \r\n 123456789\r\n0;last\r\nExpires: never\r\nX: y\r\n\r\n";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const Read got = read(bytes, step);
    EXPECT_EQ(got.plain, "5\r\nhello\r\n0A\r\n 123456789\r\n0\r\n\r\n") << step;
    EXPECT_TRUE(got.whole);
  }
}

TEST(ChunkedBody, WhatFollowsItIsNotTaken) {
  const std::string body = "1\r\nx\r\n0\r\n\r\n";
  for (const std::size_t step : {1, 3, 100})
    EXPECT_EQ(read(body + "GET / HTTP/1.1\r\n", step).n_taken, body.size()) << step;
}

TEST(ChunkedBody, WhatOthersMayReadDifferentlyIsBroken) {
  for (const char* bad : {"0x2\r\n{}\r\n", "+2\r\n{}\r\n", "-2\r\n", "\r\n", ";a\r\n",
                          "2 2\r\n{}\r\n", "g\r\n", "2\n{}\r\n", "2\r\n{}x\r\n", "2\r\n{}\n",
                          "ffffffffffffffff\r\n", "2\r\n{}\r\n0\r\nX: y\n"}) {
    EXPECT_TRUE(read(bad, 1).broken) << bad;
  }
}

TEST(ChunkedBody, EndlessLinesAndTrailersAreBroken) {
  EXPECT_TRUE(read("5;" + std::string(100'000, 'x'), 1000).broken);
  std::string trailers = "0\r\n";
  for (int i = 0; i < 10'000; ++i)
    trailers += "X-" + std::to_string(i) + ": y\r\n";
  EXPECT_TRUE(read(trailers, 1000).broken);
}

}  // namespace
}  // namespace rsd::server
