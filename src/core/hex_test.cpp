#include "rsd/core/hex.h"

#include <gtest/gtest.h>

#include <array>

namespace rsd {
namespace {

TEST(Hex, HasTwoDigitsPerByteAndKeepsLeadingZeros) {
  EXPECT_EQ(hex(std::array<unsigned char, 4>{0x00, 0x0f, 0xa0, 0xff}), "000fa0ff");
  EXPECT_EQ(hex({}), "");
}

}  // namespace
}  // namespace rsd
