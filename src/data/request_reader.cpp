#include "rsd/data/request_reader.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>

#include "data/record_stream.h"
#include "data/shorten.h"

namespace rsd {
namespace {

Error not_opened(const std::string& path, int reason) {
  return {ErrorCode::kNotFound,
          path + ": can't be opened: " + std::generic_category().message(reason)};
}

}  // namespace

Result<RequestReader> RequestReader::open(const std::string& path, RequestLimits limits) {
  if (path == "-") {
    RequestReader reader(std::make_unique<std::istream>(std::cin.rdbuf()), "<stdin>",
                         std::move(limits));
    reader.is_complete_ = false;
    reader.descriptor_ = STDIN_FILENO;
    return reader;
  }
  // The standard library can open folders as if they were files.
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return not_opened(path, EISDIR);
  auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*file) return not_opened(path, errno);
  RequestReader reader(std::move(file), path, std::move(limits));
  reader.is_complete_ = std::filesystem::is_regular_file(path, ignored);
  return reader;
}

RequestReader::RequestReader(std::unique_ptr<std::istream> stream, std::string source,
                             RequestLimits limits)
    : records_(std::make_unique<RecordStream>(
          std::move(stream), RecordStream::Options{.arrays = RecordStream::Arrays::kHaveRecords,
                                                   .max_bytes = limits.max_line_bytes})),
      source_(std::move(source)),
      limits_(std::move(limits)) {}

RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;
RequestReader::~RequestReader() = default;

std::size_t RequestReader::line() const noexcept {
  return records_->line();
}

bool RequestReader::would_wait() const {
  if (is_complete_ || records_->ended() || records_->has_buffered()) return false;
  if (descriptor_ < 0) return true;  // a named pipe, which can't be polled here
  pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, /*timeout=*/0) == 0;
}

Result<std::optional<Request>> RequestReader::next() {
  const auto record = records_->next();
  if (!record) return located(record.error());
  if (!record->has_value()) return std::optional<Request>();
  return parse(**record);
}

Result<std::optional<Request>> RequestReader::parse(const std::string& record) {
  auto request = parse_request(record, std::to_string(records_->place()), limits_);
  if (!request) return located(request.error());
  const auto [seen, is_new] = seen_.emplace(request->id, line());
  if (!is_new) {
    return located(Error(ErrorCode::kInvalidInput, "id \"" + shorten(request->id, kShownChars) +
                                                       "\" is the id of line " +
                                                       std::to_string(seen->second) + " already"));
  }
  return std::optional<Request>(std::move(request).value());
}

Error RequestReader::located(const Error& error) const {
  return error.within(source_ + ":" + std::to_string(line()));
}

Result<std::vector<Request>> read_requests(const std::string& path,
                                           std::optional<std::size_t> limit,
                                           const RequestLimits& limits) {
  auto reader = RequestReader::open(path, limits);
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
