#include "core/xxh64.h"

#include <gtest/gtest.h>

namespace rsd {
namespace {

// The reference implementation's values (xxhash.h, XXH64).
TEST(Xxh64, IsTheReferencesXxh64) {
  EXPECT_EQ(hex(xxh64("")), "ef46db3751d8e999");
  EXPECT_EQ(hex(xxh64("a")), "d24ec4f1a98c6e5b");
  EXPECT_EQ(hex(xxh64("abc")), "44bc2cf5ad770999");
  EXPECT_EQ(hex(xxh64("Nobody inspects the spammish repetition")), "fbcea83c8a378bf1");
  EXPECT_EQ(hex(xxh64("xxhash", 20141025)), "b559b98d844e0635");
}

TEST(Xxh64, EveryByteAndTheSeedCount) {
  std::string text(100, 'x');
  const std::uint64_t digest = xxh64(text);
  EXPECT_NE(xxh64(text, 1), digest);
  for (std::size_t b = 0; b < text.size(); ++b) {
    text[b] = 'y';
    EXPECT_NE(xxh64(text), digest) << b;
    text[b] = 'x';
  }
}

}  // namespace
}  // namespace rsd
