#include "llm/cpu_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rsd {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kFlags = "flags\t\t: fpu sse4_2 avx avx2 fma f16c";

TEST(CpuFeatures, AllPresentIsWell) {
  EXPECT_TRUE(check_cpu_features("avx2 fma", kFlags));
  EXPECT_TRUE(check_cpu_features("", kFlags));
}

TEST(CpuFeatures, MissingOnesAreNamed) {
  const auto checked = check_cpu_features("avx2 avx512f bmi2", kFlags);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kMissingDependency);
  EXPECT_THAT(checked.error().message(), HasSubstr(" avx512f bmi2;"));
  EXPECT_THAT(checked.error().message(), Not(HasSubstr("avx2 ")));
}

TEST(CpuFeatures, PartOfANameIsNotTheName) {
  EXPECT_FALSE(check_cpu_features("avx", "flags : avx2 avx512f"));
}

TEST(CpuFeatures, ThisBuildRunsHere) {
  EXPECT_TRUE(check_this_cpu());
}

}  // namespace
}  // namespace rsd
