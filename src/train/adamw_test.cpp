#include "rsd/train/adamw.h"

#include <gtest/gtest.h>

#include <cmath>

#include "rsd/core/check.h"

namespace rsd {
namespace {

TEST(AdamW, FirstStepIsTheSignOfTheGradientAndTheDecay) {
  std::vector<float> weights{1.0F, -2.0F, 0.5F};
  const std::vector<float> gradient{0.3F, -4.0F, 0.0F};
  AdamWState state;
  adamw_step(weights, gradient, {.learning_rate = 0.1, .weight_decay = 0.01}, state);
  // Both moments are corrected to the gradient itself: m / sqrt(v) = sign(g).
  EXPECT_NEAR(weights[0], 1.0 - 0.1 * (1 + 0.01 * 1.0), 1e-6);
  EXPECT_NEAR(weights[1], -2.0 - 0.1 * (-1 + 0.01 * -2.0), 1e-6);
  EXPECT_NEAR(weights[2], 0.5 - 0.1 * 0.01 * 0.5, 1e-6);
  EXPECT_EQ(state.steps, 1U);
}

TEST(AdamW, SecondStepIsThatComputedByHand) {
  std::vector<float> weights{0.0F};
  AdamWState state;
  const AdamWOptions options{
      .learning_rate = 1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0, .weight_decay = 0};
  adamw_step(weights, std::vector<float>{1.0F}, options, state);
  adamw_step(weights, std::vector<float>{3.0F}, options, state);
  // m = 0.5 * 0.5 + 0.5 * 3 = 1.75, corrected by 0.75; v = 0.75 * 0.25 + 0.25 * 9 = 2.4375, by
  // 0.4375.
  EXPECT_NEAR(weights[0], -1 - (1.75 / 0.75) / std::sqrt(2.4375 / 0.4375), 1e-6);
}

TEST(AdamW, FindsTheMinimumOfAParabola) {
  std::vector<float> weights{5.0F, -3.0F};
  AdamWState state;
  for (std::size_t step = 0; step < 500; ++step) {
    const std::vector<float> gradient{2 * (weights[0] - 1), 20 * (weights[1] - 2)};
    adamw_step(weights, gradient,
               {.learning_rate = scheduled_rate(0.1, step, 10, 500), .weight_decay = 0}, state);
  }
  EXPECT_NEAR(weights[0], 1, 0.02);
  EXPECT_NEAR(weights[1], 2, 0.02);
}

TEST(AdamW, GradientOfOtherWeightsIsADefect) {
  std::vector<float> weights(2);
  AdamWState state;
  EXPECT_THROW(adamw_step(weights, std::vector<float>(3), {}, state), LogicError);
}

TEST(ClipNorm, KeepsTheDirectionAndReturnsTheNorm) {
  std::vector<float> gradient{3.0F, 4.0F};
  EXPECT_DOUBLE_EQ(clip_norm(gradient, 10), 5);
  EXPECT_FLOAT_EQ(gradient[0], 3);
  EXPECT_DOUBLE_EQ(clip_norm(gradient, 1), 5);
  EXPECT_FLOAT_EQ(gradient[0], 0.6F);
  EXPECT_FLOAT_EQ(gradient[1], 0.8F);
}

TEST(ScheduledRate, RisesThenFallsToATenth) {
  EXPECT_DOUBLE_EQ(scheduled_rate(1, 0, 10, 100), 0.1);
  EXPECT_NEAR(scheduled_rate(1, 10, 10, 100), 0.1 + 0.9 * (1 + std::cos(0.1 * M_PI)) / 2, 1e-12);
  EXPECT_NEAR(scheduled_rate(1, 100, 10, 100), 0.1, 1e-12);
  EXPECT_NEAR(scheduled_rate(1, 500, 10, 100), 0.1, 1e-12);
}

}  // namespace
}  // namespace rsd
