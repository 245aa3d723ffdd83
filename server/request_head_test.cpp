#include "request_head.h"

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

}  // namespace
}  // namespace rsd::server
