#include "rsd/data/request_reader.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>

#include "data/shorten.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kShownChars = 60;

enum class LineEnd { kWhole, kTooLong, kNoLine, kBroken };

// The next line without its line end. One of more than `max_bytes` is passed over without keeping
// it.
LineEnd read_line(std::istream& stream, std::size_t max_bytes, std::string& line) {
  std::array<char, 1 << 16> chunk;
  line.clear();
  for (bool first = true, too_long = false;; first = false) {
    stream.getline(chunk.data(), chunk.size());
    if (stream.bad()) return LineEnd::kBroken;
    if (stream.eof() && stream.gcount() == 0 && first) return LineEnd::kNoLine;

    const bool chunk_is_full = stream.fail() && !stream.eof();
    const bool line_feed_was_read = !stream.fail() && !stream.eof();
    const auto count = static_cast<std::size_t>(stream.gcount()) - (line_feed_was_read ? 1 : 0);
    too_long = too_long || count > max_bytes - line.size();
    if (too_long) {
      line.clear();
    } else {
      line.append(chunk.data(), count);
    }
    if (!chunk_is_full) return too_long ? LineEnd::kTooLong : LineEnd::kWhole;
    stream.clear();
  }
}

bool is_blank_line(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

Error not_opened(const std::string& path, int reason) {
  return {ErrorCode::kNotFound,
          path + ": can't be opened: " + std::generic_category().message(reason)};
}

}  // namespace

Result<RequestReader> RequestReader::open(const std::string& path, RequestLimits limits) {
  if (path == "-") {
    RequestReader reader(std::make_unique<std::istream>(std::cin.rdbuf()), "<stdin>", limits);
    reader.is_complete_ = false;
    reader.descriptor_ = STDIN_FILENO;
    return reader;
  }
  // The standard library opens folders as if they were files.
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return not_opened(path, EISDIR);
  auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*file) return not_opened(path, errno);
  RequestReader reader(std::move(file), path, limits);
  reader.is_complete_ = std::filesystem::is_regular_file(path, ignored);
  return reader;
}

RequestReader::RequestReader(std::unique_ptr<std::istream> stream, std::string source,
                             RequestLimits limits)
    : stream_(std::move(stream)), source_(std::move(source)), limits_(limits) {
  RSD_CHECK(stream_ != nullptr, "a reader without a stream");
}

bool RequestReader::would_wait() const {
  if (is_complete_ || !stream_ || stream_->rdbuf()->in_avail() > 0) return false;
  if (descriptor_ < 0) return true;  // a pipe by name: nobody tells
  pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, /*timeout=*/0) == 0;
}

Result<std::optional<Request>> RequestReader::next() {
  std::string line;
  while (stream_) {
    const LineEnd end = read_line(*stream_, limits_.max_line_bytes, line);
    if (end == LineEnd::kNoLine) break;
    ++line_;
    if (end == LineEnd::kBroken) {
      stream_.reset();  // a caller that goes on behind errors must come to an end
      return located(Error(ErrorCode::kRuntime, "reading broke off"));
    }
    if (end == LineEnd::kTooLong) {
      return located(Error(ErrorCode::kInvalidInput, "the line is longer than max_line_bytes, " +
                                                         std::to_string(limits_.max_line_bytes) +
                                                         " bytes"));
    }
    // Files that were joined with `cat` have one further down, too.
    if (line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    if (!is_blank_line(line)) return parse(line);
  }
  return std::optional<Request>();
}

Result<std::optional<Request>> RequestReader::parse(const std::string& line) {
  auto request = parse_request(line, std::to_string(line_), limits_);
  if (!request) return located(request.error());
  const auto [seen, is_new] = seen_.emplace(request->id, line_);
  if (!is_new) {
    return located(Error(ErrorCode::kInvalidInput, "id \"" + shorten(request->id, kShownChars) +
                                                       "\" is the id of line " +
                                                       std::to_string(seen->second) + " already"));
  }
  return std::optional<Request>(std::move(request).value());
}

Error RequestReader::located(const Error& error) const {
  return error.within(source_ + ":" + std::to_string(line_));
}

Result<std::vector<Request>> read_requests(const std::string& path,
                                           std::optional<std::size_t> limit) {
  auto reader = RequestReader::open(path);
  if (!reader) return reader.error();
  std::vector<Request> requests;
  while (!limit || requests.size() < *limit) {
    auto request = reader->next();
    if (!request) return request.error();
    if (!*request) {
      if (!requests.empty()) break;
      return Error(ErrorCode::kInvalidInput, reader->source() + ": holds no requests");
    }
    requests.push_back(std::move(**request));
  }
  return requests;
}

}  // namespace rsd
