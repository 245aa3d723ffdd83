#include "rsd/data/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <sstream>
#include <vector>

#include "rsd/core/check.h"
#include "rsd/core/file.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string line_with_id(const std::string& id) {
  return R"({"id":")" + id + R"(","query":"q","candidates":[{"id":"a","text":"A"}]})";
}

RequestReader reader_of(const std::string& content, RequestLimits limits = {}) {
  return {std::make_unique<std::istringstream>(content), "in.jsonl", limits};
}

// The results of a reader, in order: "<line>:<id>" or the error's message.
std::vector<std::string> read_all(RequestReader reader) {
  std::vector<std::string> results;
  for (;;) {
    const auto request = reader.next();
    if (request.ok() && !request->has_value()) return results;
    results.push_back(request.ok() ? std::to_string(reader.line()) + ":" + (*request)->id
                                   : request.error().message());
    if (results.size() > 100) return results;  // a reader that doesn't end
  }
}

TEST(RequestReader, StreamsRequestsAndSkipsBlankLines) {
  EXPECT_THAT(
      read_all(reader_of("\n" + line_with_id("x") + "\n \t\n\n" + line_with_id("y") + "\n")),
      ElementsAre("2:x", "5:y"));
}

TEST(RequestReader, TheLastLineNeedsNoLineEnd) {
  EXPECT_THAT(read_all(reader_of(line_with_id("x") + "\n" + line_with_id("y"))),
              ElementsAre("1:x", "2:y"));
}

TEST(RequestReader, AnEmptyStreamHasNoRequests) {
  EXPECT_THAT(read_all(reader_of("")), ElementsAre());
  EXPECT_THAT(read_all(reader_of("\n\n")), ElementsAre());
  EXPECT_THAT(read_all(reader_of("\xEF\xBB\xBF")), ElementsAre());
}

TEST(RequestReader, TheEndStaysTheEnd) {
  RequestReader reader = reader_of(line_with_id("x"));
  ASSERT_TRUE(reader.next().ok());
  for (int i = 0; i < 3; ++i) {
    const auto end = reader.next();
    ASSERT_TRUE(end.ok());
    EXPECT_FALSE(end->has_value());
  }
}

TEST(RequestReader, AcceptsWindowsLineEndsAndAByteOrderMark) {
  EXPECT_THAT(read_all(reader_of("\xEF\xBB\xBF" + line_with_id("x") + "\r\n\r\n" +
                                 line_with_id("y") + "\r\n")),
              ElementsAre("1:x", "3:y"));
}

TEST(RequestReader, AcceptsFilesThatWereJoinedWithTheirByteOrderMarks) {
  const std::string mark = "\xEF\xBB\xBF";
  EXPECT_THAT(read_all(reader_of(mark + line_with_id("x") + "\n" + mark + line_with_id("y") + "\n" +
                                 mark + "\n" + mark)),
              ElementsAre("1:x", "2:y"));
}

TEST(RequestReader, GoesOnAfterBadLines) {
  EXPECT_THAT(read_all(reader_of("{\n" + line_with_id("x") + "\n[]\n" + line_with_id("") + "\n" +
                                 line_with_id("y"))),
              ElementsAre(HasSubstr("in.jsonl:1: broken JSON"), "2:x",
                          HasSubstr("in.jsonl:3: the line is []"),
                          HasSubstr("in.jsonl:4: id is empty"), "5:y"));
}

TEST(RequestReader, BytesOfZeroAreABadLineOnly) {
  EXPECT_THAT(read_all(reader_of(std::string("\0\0\n", 3) + line_with_id("x"))),
              ElementsAre(HasSubstr("in.jsonl:1: broken JSON"), "2:x"));
}

TEST(RequestReader, ARepeatedIdIsAnErrorOfTheLaterLine) {
  EXPECT_THAT(
      read_all(reader_of(line_with_id("x") + "\n" + line_with_id("y") + "\n" + line_with_id("x") +
                         "\n" + line_with_id("x") + "\n" + line_with_id("z"))),
      ElementsAre("1:x", "2:y", "in.jsonl:3: id \"x\" is the id of line 1 already",
                  "in.jsonl:4: id \"x\" is the id of line 1 already", "5:z"));
}

TEST(RequestReader, TheIdOfABadLineIsFree) {
  EXPECT_THAT(read_all(reader_of(R"({"id":"x"})"
                                 "\n" +
                                 line_with_id("x"))),
              ElementsAre(HasSubstr("in.jsonl:1: query or history is missing"), "2:x"));
}

TEST(RequestReader, ALineWithoutAnIdIsNamedByItsNumber) {
  EXPECT_THAT(read_all(reader_of("\n"
                                 R"({"query":"q","candidates":["A"]})")),
              ElementsAre("2:2"));
}

TEST(RequestReader, ATooLongLineIsPassedOver) {
  const std::string line = line_with_id("x");
  const RequestLimits limits{.max_line_bytes = line.size()};
  for (const std::size_t length : {line.size() + 1, std::size_t{65'534}, std::size_t{65'535},
                                   std::size_t{65'536}, std::size_t{1'000'000}}) {
    SCOPED_TRACE(length);
    const std::string too_long(length, 'x');
    EXPECT_THAT(read_all(reader_of(too_long + "\n" + line + "\n" + too_long, limits)),
                ElementsAre("in.jsonl:1: the line is longer than max_line_bytes, " +
                                std::to_string(line.size()) + " bytes",
                            "2:x", HasSubstr("in.jsonl:3: the line is longer than")));
  }
}

TEST(RequestReader, LinesAroundTheSizeOfTheReadBufferAreWhole) {
  const std::string head = R"({"id":"x","query":"q","candidates":[{"id":"a","text":")";
  const std::string tail = "\"}]}";
  for (std::size_t length = (1 << 16) - 3; length <= (1 << 16) + 3; ++length) {
    SCOPED_TRACE(length);
    const std::string text(length - head.size() - tail.size(), 't');
    for (const std::string end : {"", "\n", "\r\n"}) {
      RequestReader reader = reader_of(head + text + tail + end);
      const auto request = reader.next();
      ASSERT_TRUE(request.ok()) << request.error().message();
      EXPECT_EQ((*request)->candidates[0].text, text);
      EXPECT_FALSE(reader.next()->has_value());
    }
  }
}

TEST(RequestReader, ReadsTheElementsOfAnArrayHoweverTheyAreLaidOut) {
  const std::string x = line_with_id("x");
  const std::string y = line_with_id("y");
  EXPECT_THAT(read_all(reader_of("[" + x + "," + y + "]")), ElementsAre("1:x", "1:y"));
  EXPECT_THAT(read_all(reader_of("\xEF\xBB\xBF \r\n [\r\n" + x + "\r\n,\r\n" + y + "]\r\n")),
              ElementsAre("3:x", "5:y"));
  EXPECT_THAT(read_all(reader_of("[\n  {\n    \"id\": \"x]\\\"\",\n    \"query\": \"q\",\n    "
                                 "\"candidates\": [\n      \"A\"\n    ]\n  }\n]\n")),
              ElementsAre("2:x]\""));
  EXPECT_THAT(read_all(reader_of("[]\n")), ElementsAre());
  EXPECT_THAT(read_all(reader_of("[\n]")), ElementsAre());
}

TEST(RequestReader, AnElementWithoutAnIdIsNamedByItsPlace) {
  const std::string element = R"({"query":"q","candidates":["A"]})";
  EXPECT_THAT(read_all(reader_of("[\n\n" + element + ",\n" + element + "]")),
              ElementsAre("3:1", "4:2"));
}

TEST(RequestReader, GoesOnAfterBadElements) {
  EXPECT_THAT(read_all(reader_of("[\n{\"id\": 1 2},\n3,,\n" + line_with_id("x") + ",]")),
              ElementsAre(HasSubstr("in.jsonl:2: broken JSON"),
                          HasSubstr("in.jsonl:3: the line is 3; it must be a JSON object"),
                          HasSubstr("in.jsonl:3: broken JSON: a comma"), "4:x",
                          HasSubstr("in.jsonl:4: broken JSON: a comma")));
}

TEST(RequestReader, GoesOnAfterAnArray) {
  EXPECT_THAT(read_all(reader_of("[" + line_with_id("x") + "]\n[" + line_with_id("y") + "]\n" +
                                 line_with_id("z") + "\n[]")),
              ElementsAre("1:x", "2:y", "3:z", HasSubstr("in.jsonl:4: the line is []")));
}

TEST(RequestReader, AnArrayWithoutAnEndIsAnErrorAndTheEnd) {
  EXPECT_THAT(read_all(reader_of("[\n" + line_with_id("x"))),
              ElementsAre("in.jsonl:2: the file ends within the JSON array"));
  EXPECT_THAT(read_all(reader_of("[\n" + line_with_id("x") + ",")),
              ElementsAre("2:x", "in.jsonl:2: the file ends within the JSON array"));
  EXPECT_THAT(read_all(reader_of("[\n" + line_with_id("x") + ",\n{\"id\":")),
              ElementsAre("2:x", "in.jsonl:3: the file ends within the JSON array"));
}

TEST(RequestReader, ATooLongElementIsPassedOver) {
  const std::string x = line_with_id("x");
  EXPECT_THAT(read_all(reader_of("[" + line_with_id(std::string(100, 'y')) + ",\n" + x + "]",
                                 {.max_line_bytes = x.size()})),
              ElementsAre("in.jsonl:1: the element is longer than max_line_bytes, " +
                              std::to_string(x.size()) + " bytes",
                          "2:x"));
}

TEST(RequestReader, CompressedFilesAndUtf16AreNamedOnceAsWhatTheyAre) {
  EXPECT_THAT(read_all(reader_of("\x1F\x8B\x08\n\x01\n")),
              ElementsAre("in.jsonl:1: this is compressed (gzip); unpack it first"));
  EXPECT_THAT(read_all(reader_of("\x28\xB5\x2F\xFD\n\n")), ElementsAre(HasSubstr("(zstd)")));
  EXPECT_THAT(read_all(reader_of("\xFD\x37zXZ\n")), ElementsAre(HasSubstr("(xz)")));
  EXPECT_THAT(read_all(reader_of("PK\x03\x04\n\n")), ElementsAre(HasSubstr("(zip)")));
  EXPECT_THAT(read_all(reader_of(std::string("\xFF\xFE{\0\n\0", 6))),
              ElementsAre(HasSubstr("in.jsonl:1: this is UTF-16; it must be UTF-8")));
}

TEST(RequestReader, ALineThatBeginsLikeACompressedFileIsABadLineOnly) {
  EXPECT_THAT(read_all(reader_of("B\n" + line_with_id("x") + "\nP")),
              ElementsAre(HasSubstr("in.jsonl:1: broken JSON"), "2:x",
                          HasSubstr("in.jsonl:3: broken JSON")));
}

// Gives some bytes, then fails as a disk or a network does.
class BreakingBuffer : public std::streambuf {
 public:
  explicit BreakingBuffer(std::string bytes) : bytes_(std::move(bytes)) {
    setg(bytes_.data(), bytes_.data(), bytes_.data() + bytes_.size());
  }

 protected:
  int_type underflow() override { throw std::ios_base::failure("input/output error"); }

 private:
  std::string bytes_;
};

TEST(RequestReader, AStreamThatBreaksOffEndsInAnError) {
  BreakingBuffer buffer(line_with_id("x") + "\n{\"id\":");
  RequestReader reader(std::make_unique<std::istream>(&buffer), "net");
  ASSERT_TRUE(reader.next().ok());
  const auto broken = reader.next();
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code(), ErrorCode::kRuntime);
  EXPECT_EQ(broken.error().message(), "net:2: reading broke off");
  const auto end = reader.next();
  ASSERT_TRUE(end.ok());
  EXPECT_FALSE(end->has_value());
}

TEST(RequestReader, NeedsAStream) {
  EXPECT_THROW(RequestReader(nullptr, "none"), LogicError);
}

TEST(RequestReader, ReadsStandardInput) {
  std::istringstream input(line_with_id("x") + "\n{");
  auto* const old = std::cin.rdbuf(input.rdbuf());
  auto reader = RequestReader::open("-");
  std::vector<std::string> results;
  if (reader.ok()) results = read_all(std::move(reader).value());
  std::cin.rdbuf(old);
  EXPECT_THAT(results, ElementsAre("1:x", HasSubstr("<stdin>:2: broken JSON")));
}

TEST(RequestReader, AMissingFileOrAFolderIsNotFound) {
  const std::string missing = testing::TempDir() + "/rsd-no-such-requests.jsonl";
  const auto reader = RequestReader::open(missing);
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(reader.error().message(), missing + ": can't be opened: No such file or directory");

  const auto folder = RequestReader::open(testing::TempDir());
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(folder.error().message(), HasSubstr("can't be opened: Is a directory"));
}

class ReadRequests : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  void write(const std::string& content) {
    ASSERT_TRUE(write_file_atomically(path_, content).ok());
  }

  const std::string path_ =
      testing::TempDir() + "/rsd-requests-" + std::to_string(::getpid()) + ".jsonl";
};

TEST_F(ReadRequests, ReadsTheWholeFile) {
  write(line_with_id("x") + "\n" + line_with_id("y") + "\n");
  const auto requests = read_requests(path_);
  ASSERT_TRUE(requests.ok());
  ASSERT_EQ(requests->size(), 2u);
  EXPECT_EQ(requests->at(1).id, "y");
}

TEST_F(ReadRequests, BadLinesAfterTheLimitAreNotRead) {
  write(line_with_id("x") + "\n" + line_with_id("y") + "\nbad\n");
  const auto requests = read_requests(path_, 2);
  ASSERT_TRUE(requests.ok());
  EXPECT_EQ(requests->size(), 2u);
  EXPECT_FALSE(read_requests(path_, 3).ok());
}

TEST_F(ReadRequests, ALimitBeyondTheFileIsNoFault) {
  write(line_with_id("x"));
  EXPECT_EQ(read_requests(path_, 5).value().size(), 1u);
}

TEST_F(ReadRequests, TheFirstBadLineIsTheError) {
  write(line_with_id("x") + "\n" + line_with_id("x") + "\nbad\n");
  const auto requests = read_requests(path_);
  ASSERT_FALSE(requests.ok());
  EXPECT_EQ(requests.error().code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(requests.error().message(), path_ + ":2: id \"x\" is the id of line 1 already");
}

TEST_F(ReadRequests, AFileWithoutRequestsIsInvalid) {
  write("\n\n");
  const auto requests = read_requests(path_);
  ASSERT_FALSE(requests.ok());
  EXPECT_EQ(requests.error().code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(requests.error().message(), path_ + ": holds no requests");
}

TEST_F(ReadRequests, AMissingFileIsNotFound) {
  const auto requests = read_requests(path_);
  ASSERT_FALSE(requests.ok());
  EXPECT_EQ(requests.error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace rsd
