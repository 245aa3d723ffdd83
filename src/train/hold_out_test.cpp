#include "rsd/train/hold_out.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace rsd {
namespace {

TEST(HoldOut, IsAPermutationWithAShareOfEachOfSeveralFiles) {
  for (const std::size_t n : {1U, 2U, 3U, 7U, 24U, 100U, 400U, 4001U}) {
    const HoldOut split = hold_out(n);
    auto sorted = split.order;
    std::ranges::sort(sorted);
    ASSERT_EQ(sorted.size(), n);
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_EQ(sorted[i], i);
    EXPECT_LE(split.n_held_out, std::min<std::size_t>(32, n / 3)) << n;
    EXPECT_GE(split.n_held_out, std::min<std::size_t>(8, n / 3)) << n;
  }
  const HoldOut split = hold_out(400);  // four files of 100
  std::vector<std::size_t> of_file(4, 0);
  for (std::size_t k = 400 - split.n_held_out; k < 400; ++k)
    ++of_file[split.order[k] / 100];
  EXPECT_EQ(of_file, (std::vector<std::size_t>{8, 8, 8, 8}));
}

TEST(HoldOut, WhatIsLearnedFromKeepsItsOrder) {
  const HoldOut split = hold_out(50);
  const auto end = split.order.end() - static_cast<std::ptrdiff_t>(split.n_held_out);
  EXPECT_TRUE(std::is_sorted(split.order.begin(), end));
}

}  // namespace
}  // namespace rsd
