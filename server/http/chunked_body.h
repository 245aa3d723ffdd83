// A body that comes in chunks (RFC 9112, section 7.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rsd::server {

// Reads a chunked body strictly, so that nobody sees its end elsewhere than we do, and writes it
// again in the one form that httplib reads: plain sizes, no extensions, no trailers.
class ChunkedBody {
 public:
  // Appends to `out` the form that httplib reads. Returns how many of `bytes` belong to the body:
  // fewer than all if it is whole or broken.
  std::size_t take(std::string_view bytes, std::string& out);

  bool is_whole() const noexcept { return state_ == State::kWhole; }
  // A size is no number, a chunk doesn't end where it should, or a line is too long.
  bool is_broken() const noexcept { return state_ == State::kBroken; }

 private:
  enum class State { kSize, kData, kDataEnd, kTrailers, kWhole, kBroken };

  bool take_line_byte(char c);
  void end_size(std::string& out);
  void end_data(std::string& out);
  void end_trailer(std::string& out);

  State state_ = State::kSize;
  std::string line_;
  std::uint64_t n_data_left_ = 0;
  std::size_t n_trailer_bytes_ = 0;
};

}  // namespace rsd::server
