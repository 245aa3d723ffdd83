#include "llm/rpc_distribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Shares = std::vector<double>;

TEST(RpcShares, BecomeWholeLayersOfWhichNoneIsLost) {
  EXPECT_THAT(layers_by_shares(Shares{1, 1}, 10), ElementsAre(5, 5));
  EXPECT_THAT(layers_by_shares(Shares{3, 1}, 30), ElementsAre(23, 7));
  EXPECT_THAT(layers_by_shares(Shares{0.1, 0.1, 0.1}, 32), ElementsAre(11, 10, 11));
  EXPECT_THAT(layers_by_shares(Shares{1e9, 1e-9}, 4), ElementsAre(4, 0));
}

TEST(RpcShares, AServerWithAShareOfZeroGetsNoLayer) {
  EXPECT_THAT(layers_by_shares(Shares{0, 2}, 7), ElementsAre(0, 7));
  EXPECT_THAT(layers_by_shares(Shares{1, 0, 1}, 7), ElementsAre(4, 0, 3));
  EXPECT_THAT(layers_by_shares(Shares{1, 0}, 7), ElementsAre(7, 0));
}

TEST(RpcShares, AreOneForEachServerOrNone) {
  EXPECT_TRUE(check_tensor_split(Shares{}, 2));
  EXPECT_TRUE(check_tensor_split(Shares{0, 0.5}, 2));
  const auto checked = check_tensor_split(Shares{1, 2, 3}, 2);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(checked.error().message(), HasSubstr("tensor-split has 3 shares"));
  EXPECT_THAT(checked.error().message(), HasSubstr("RPC servers, 2"));
}

TEST(RpcShares, ThoseThatAreNoSharesAreRefused) {
  for (const double share : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const auto checked = check_tensor_split(Shares{1, share}, 2);
    ASSERT_FALSE(checked) << share;
    EXPECT_THAT(checked.error().message(), HasSubstr("0 or more"));
  }
  const auto checked = check_tensor_split(Shares{0, 0}, 2);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message(), HasSubstr("above 0"));
}

}  // namespace
}  // namespace rsd
