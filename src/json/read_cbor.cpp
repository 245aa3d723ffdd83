#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "json/read_json.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

// Checks the items before they are parsed: the library's reader recurses into all nested items,
// strings of unknown length included, and trusts the encoded lengths.
class CborWalk {
 public:
  explicit CborWalk(std::string_view bytes) : bytes_(bytes) {}

  Result<void> check() {
    constexpr std::uint64_t kOneValue = 1;
    left_.push_back(kOneValue);
    while (!left_.empty()) {
      if (left_.back() == 0) {
        left_.pop_back();
        continue;
      }
      --left_.back();
      if (auto taken = take_item(); !taken) return taken;
    }
    if (at_ < bytes_.size()) return bad("something comes after the value");
    return {};
  }

 private:
  // RFC 8949, 3.1: the major type, in the upper three bits of an item's first byte.
  enum Major { kUnsigned, kNegative, kBytes, kText, kArray, kMap, kTag, kSimple };

  Result<void> take_item() {
    if (at_ == bytes_.size()) return bad("it ends too early");
    const auto first = static_cast<unsigned char>(bytes_[at_++]);
    const auto argument = take_argument(first & 0x1FU);
    if (!argument) return argument.error();
    switch (static_cast<Major>(first >> 5U)) {
      case kBytes:
      case kText:
        if (*argument > bytes_.size() - at_) return bad("it ends too early");
        at_ += *argument;
        return {};
      case kArray:
        return open(*argument, /*values_an_entry=*/1);
      case kMap:
        return open(*argument, /*values_an_entry=*/2);
      case kTag:
        return bad("it has a tag");
      default:
        return {};
    }
  }

  // Reads the argument (a length, a number or its bits) from the first byte itself, or from the
  // following 1, 2, 4 or 8 bytes.
  Result<std::uint64_t> take_argument(unsigned info) {
    constexpr unsigned kInOneByte = 24;
    constexpr unsigned kInEightBytes = 27;
    if (info < kInOneByte) return std::uint64_t{info};
    if (info > kInEightBytes) return bad("it has an item of unknown length");
    const std::size_t n_bytes = std::size_t{1} << (info - kInOneByte);
    if (n_bytes > bytes_.size() - at_) return bad("it ends too early");
    std::uint64_t argument = 0;
    for (std::size_t i = 0; i < n_bytes; ++i)
      argument = argument << 8U | static_cast<unsigned char>(bytes_[at_++]);
    return argument;
  }

  Result<void> open(std::uint64_t n_entries, std::uint64_t values_an_entry) {
    if (n_entries > (bytes_.size() - at_) / values_an_entry) return bad("it ends too early");
    if (left_.size() > kMaxJsonDepth)
      return bad("it nests deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    left_.push_back(n_entries * values_an_entry);
    return {};
  }

  Error bad(const std::string& what) const {
    return invalid_input("broken CBOR at byte offset " + std::to_string(at_) + ": " + what);
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::vector<std::uint64_t> left_;  // by open array or map: the number of values still to come
};

}  // namespace

Result<Json> read_cbor(std::string_view bytes) {
  if (auto sound = CborWalk(bytes).check(); !sound) return sound.error();
  try {
    return Json::from_cbor(bytes);
  } catch (const Json::exception& problem) {  // a key that is not a text, a number out of range
    return invalid_input(std::string("broken CBOR: ") + problem.what());
  }
}

}  // namespace rsd
