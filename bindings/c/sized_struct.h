// Structs that begin with their size, so that programs and the library may be of different ages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "rsd/core/result.h"

namespace rsd::bindings {

// No header will ever have a larger struct: a larger size is memory that was never set.
inline constexpr std::size_t kMaxStructBytes = 4096;

inline Result<std::size_t> checked_size(std::size_t size, const char* name) {
  if (size >= sizeof(std::size_t) && size <= kMaxStructBytes) return size;
  return invalid_argument(std::string(name) + ".struct_size is " + std::to_string(size) +
                          "; it must be the size of the struct");
}

// A copy of the struct as this library knows it: members that the caller's is too short for are
// zero. kInvalidArgument: NULL, a size that is none, or members that this library doesn't know and
// that are not zero.
template <class Struct>
Result<Struct> read_struct(const Struct* given, const char* name) {
  if (given == nullptr) return invalid_argument(std::string(name) + " is NULL");
  const auto size = checked_size(given->struct_size, name);
  if (!size) return size.error();
  Struct read{};
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  std::memcpy(&read, bytes, std::min(*size, sizeof(Struct)));
  for (std::size_t i = sizeof(Struct); i < *size; ++i) {
    if (bytes[i] == 0) continue;
    return invalid_argument(std::string(name) +
                            " has members that this version of the library doesn't know");
  }
  return read;
}

// Writes as much as the caller's struct has room for; members that this library doesn't know become
// zero. kInvalidArgument: NULL, or a size that is none.
template <class Struct>
Result<void> write_struct(Struct value, Struct* out, const char* name) {
  if (out == nullptr) return invalid_argument(std::string(name) + " is NULL");
  const auto size = checked_size(out->struct_size, name);
  if (!size) return size.error();
  value.struct_size = *size;
  auto* bytes = reinterpret_cast<unsigned char*>(out);
  std::memset(bytes, 0, *size);
  std::memcpy(bytes, &value, std::min(*size, sizeof(Struct)));
  return {};
}

}  // namespace rsd::bindings
