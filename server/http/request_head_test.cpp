#include "server/http/request_head.h"

#include <gtest/gtest.h>

#include <string>

namespace rsd::server {
namespace {

// 0: there is no fault.
int status_of(const std::string& headers) {
  const auto fault = framing_fault("POST /v1/rerank HTTP/1.1\r\n" + headers + "\r\n");
  return fault ? fault->status : 0;
}

TEST(RequestHead, SaysWhereTheRequestEnds) {
  for (const char* clear : {"", "Host: x\r\n", "Content-Length: 5\r\n", "content-length:\t5 \r\n",
                            "Content-Length: 5\r\nContent-Length: 5\r\n",
                            "Transfer-Encoding: Chunked\r\n", "X-Empty:\r\nX-Odd: a:b \x80\r\n"}) {
    EXPECT_EQ(status_of(clear), 0) << clear;
  }
}

TEST(RequestHead, ALengthIsDigitsAndOne) {
  for (const char* bad : {"abc", "0x10", "+5", "-5", "5, 5", "5 5", "", "%35", "5.0", "1e3"})
    EXPECT_EQ(status_of("Content-Length: " + std::string(bad) + "\r\n"), 400) << bad;
  EXPECT_EQ(status_of("Content-Length: 5\r\nHost: x\r\ncontent-length: 6\r\n"), 400);
  EXPECT_EQ(status_of("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400);
}

TEST(RequestHead, OtherTransferEncodingsAreNotThere) {
  for (const char* other : {"gzip", "gzip, chunked", "identity", "", "xchunked"})
    EXPECT_EQ(status_of("Transfer-Encoding: " + std::string(other) + "\r\n"), 501) << other;
  EXPECT_EQ(status_of("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 501);
}

TEST(RequestHead, ALineThatOthersMayReadDifferentlyIsAFault) {
  for (const char* bad :
       {"Content-Length : 5\r\n", " Content-Length: 5\r\n", "Host: x\r\n folded\r\n",
        "nonsense\r\n", ": 5\r\n", "Content-Length: 5\n", "X: a\rContent-Length: 5\r\n"}) {
    EXPECT_EQ(status_of(bad), 400) << bad;
  }
  EXPECT_EQ(status_of(std::string("X: a\0b\r\n", 8)), 400);
}

TEST(RequestHead, ARequestLineWithControlCharactersIsAFault) {
  for (const std::string& bad :
       {std::string("GET /\nX: a HTTP/1.1\r\n\r\n"), std::string("GET / HTTP/1.1\rX: a\r\n\r\n"),
        std::string("GET / HTTP/1.1\n\r\n"), std::string("GET http://a\t HTTP/1.1\r\n\r\n"),
        std::string("GET /\0 HTTP/1.1\r\n\r\n", 20)}) {
    const auto fault = framing_fault(bad);
    ASSERT_TRUE(fault) << bad;
    EXPECT_EQ(fault->status, 400) << bad;
    EXPECT_EQ(plain_head(bad), bad);
  }
}

// ---- the head as httplib sees it ----------------------------------------------------------------

std::string plain_line(const std::string& line) {
  const std::string head = plain_head(line + "\r\nX: y\r\n\r\n");
  return head.substr(0, head.find('\r'));
}

TEST(RequestHead, AbsoluteTargetsBecomePathsAndTheirHostTheHost) {
  EXPECT_EQ(plain_head("GET http://a:80/health?x=//y HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n"),
            "GET /health?x=//y HTTP/1.1\r\nHost: a:80\r\nX: y\r\n\r\n");
  EXPECT_EQ(plain_line("GET HTTPS://a/b HTTP/1.1"), "GET /b HTTP/1.1");
  EXPECT_EQ(plain_line("GET http://a HTTP/1.1"), "GET / HTTP/1.1");
  EXPECT_EQ(plain_line("GET http://a?x HTTP/1.1"), "GET /?x HTTP/1.1");
  EXPECT_EQ(plain_line("GET /redirect?to=http://a/b HTTP/1.1"),
            "GET /redirect?to=http://a/b HTTP/1.1");
  EXPECT_EQ(plain_line("OPTIONS * HTTP/1.1"), "OPTIONS * HTTP/1.1");
}

TEST(RequestHead, ATargetHasNoSpaces) {
  for (const char* odd :
       {"GET http://a b/c HTTP/1.1", "GET /a b HTTP/1.1", "GET  / HTTP/1.1", "GET /"})
    EXPECT_EQ(plain_line(odd), odd);
}

TEST(RequestHead, SlashesTooManyAreLeftOutOfPaths) {
  EXPECT_EQ(plain_line("POST //v1///rerank HTTP/1.1"), "POST /v1/rerank HTTP/1.1");
  EXPECT_EQ(plain_line("POST /rerank/?a=b//c/ HTTP/1.1"), "POST /rerank?a=b//c/ HTTP/1.1");
  EXPECT_EQ(plain_line("GET // HTTP/1.1"), "GET / HTTP/1.1");
  EXPECT_EQ(plain_line("GET http://a//b/ HTTP/1.1"), "GET /b HTTP/1.1");
}

TEST(RequestHead, LongValuesAreCutToWhatHttplibTakes) {
  const std::string head =
      plain_head("GET / HTTP/1.1\r\nCookie: " + std::string(20'000, 'x') + "\r\nHost: x\r\n\r\n");
  EXPECT_EQ(head,
            "GET / HTTP/1.1\r\nCookie: " + std::string(8190 - 8, 'x') + "\r\nHost: x\r\n\r\n");
}

TEST(RequestHead, ConnectionIsWrittenAsHttplibLooksForIt) {
  const auto connection = [](const std::string& value) {
    const std::string head = plain_head("GET / HTTP/1.1\r\nconnection: " + value + "\r\n\r\n");
    const std::size_t at = head.find(": ") + 2;
    return head.substr(at, head.find('\r', at) - at);
  };
  EXPECT_EQ(connection("Close"), "close");
  EXPECT_EQ(connection("TE, CLOSE"), "close");
  EXPECT_EQ(connection("keep-alive"), "Keep-Alive");
  EXPECT_EQ(connection("keep-alive, close"), "close");
  EXPECT_EQ(connection("Upgrade"), "Upgrade");
}

TEST(RequestHead, RangesAreLeftOut) {
  EXPECT_EQ(plain_head("GET / HTTP/1.1\r\nRange: bytes=0-1\r\nHost: x\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST(RequestHead, WhatIsNoHeadStaysAsItIs) {
  for (const char* odd : {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\nnonsense\r\n\r\n", ""})
    EXPECT_EQ(plain_head(odd), odd);
}

}  // namespace
}  // namespace rsd::server
