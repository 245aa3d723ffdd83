#include "server/http/chunked_body.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <system_error>

#include "server/http/words.h"

namespace rsd::server {
namespace {

constexpr std::size_t kLineBytes = 4096;  // a size with its extensions, or a trailer
constexpr std::size_t kTrailerBytes = std::size_t{16} * 1024;
constexpr std::size_t kSizeDigits = 15;

}  // namespace

std::size_t ChunkedBody::take(std::string_view bytes, std::string& out) {
  std::size_t at = 0;
  while (at < bytes.size() && !is_whole() && !is_broken()) {
    if (state_ == State::kData) {
      const auto n = std::min<std::uint64_t>(n_data_left_, bytes.size() - at);
      out += bytes.substr(at, n);
      at += n;
      n_data_left_ -= n;
      if (n_data_left_ == 0) state_ = State::kDataEnd;
      continue;
    }
    if (!take_line_byte(bytes[at++])) continue;
    if (state_ == State::kSize) {
      end_size(out);
    } else if (state_ == State::kDataEnd) {
      end_data(out);
    } else {
      end_trailer(out);
    }
    line_.clear();
  }
  return at;
}

// True: the line is whole, without its end.
bool ChunkedBody::take_line_byte(char c) {
  line_ += c;
  if (c != '\n') {
    if (line_.size() > kLineBytes) state_ = State::kBroken;
    return false;
  }
  if (!line_.ends_with(kLineEnd)) {
    state_ = State::kBroken;
    return false;
  }
  line_.resize(line_.size() - kLineEnd.size());
  return true;
}

void ChunkedBody::end_size(std::string& out) {
  const std::string_view size = trimmed(std::string_view(line_).substr(0, line_.find(';')), " \t");
  const char* const begin = std::to_address(size.begin());
  const char* const end = begin + size.size();
  const auto read = std::from_chars(begin, end, n_data_left_, 16);
  if (size.size() > kSizeDigits || read.ec != std::errc() || read.ptr != end) {
    state_ = State::kBroken;
    return;
  }
  out += size;
  out += kLineEnd;
  state_ = n_data_left_ > 0 ? State::kData : State::kTrailers;
}

void ChunkedBody::end_data(std::string& out) {
  out += kLineEnd;
  state_ = line_.empty() ? State::kSize : State::kBroken;
}

void ChunkedBody::end_trailer(std::string& out) {
  n_trailer_bytes_ += line_.size();
  if (line_.empty()) {
    out += kLineEnd;
    state_ = State::kWhole;
  } else if (n_trailer_bytes_ > kTrailerBytes) {
    state_ = State::kBroken;
  }
}

}  // namespace rsd::server
