// A digest of texts and numbers that is the same on every machine.
#pragma once

#include <cstdint>
#include <string_view>

namespace rsd {

// FNV-1a of 64 bits. The length of each text is part of it, so that ("ab", "c") isn't ("a", "bc").
class Digest {
 public:
  void add_bytes(std::string_view bytes) {
    for (const char c : bytes) {
      state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
  }
  void add_number(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) {
      state_ = (state_ ^ ((number >> shift) & 0xffU)) * 0x100000001b3U;
    }
  }
  void add_text(std::string_view text) {
    add_number(text.size());
    add_bytes(text);
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325U;
};

}  // namespace rsd
