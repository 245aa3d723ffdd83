#include "rsd/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rsd {
namespace {

using ::testing::HasSubstr;

Checkpoint example() {
  Checkpoint checkpoint;
  checkpoint.supervised = SupervisedState{.step = 7,
                                          .adamw = {.first = {0.5F}, .second = {2.0F}, .steps = 7},
                                          .weights = {1.0F / 3},
                                          .best_weights = {-1e-30F},
                                          .best_kendall_tau = 0.25,
                                          .without_gain = 2};
  checkpoint.initial_weights = {3.0F};
  checkpoint.rpo = RpoState{
      .step = 9, .adamw = {}, .weights = {4.0F}, .best_weights = {5.0F}, .best_return = 0.5};
  return checkpoint;
}

TEST(Checkpoint, IsReadBackToTheBit) {
  const auto read = parse_checkpoint(serialised(example()));
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->supervised->step, 7U);
  EXPECT_EQ(read->supervised->weights, example().supervised->weights);
  EXPECT_EQ(read->supervised->best_weights, example().supervised->best_weights);
  EXPECT_EQ(read->supervised->best_kendall_tau, 0.25);
  EXPECT_EQ(read->supervised->adamw.second, example().supervised->adamw.second);
  EXPECT_EQ(read->initial_weights, example().initial_weights);
  EXPECT_EQ(read->rpo->step, 9U);
  EXPECT_EQ(read->rpo->best_return, 0.5);
  EXPECT_EQ(serialised(*read), serialised(example()));
}

TEST(Checkpoint, StagesThatHaveNotBegunAreNotThere) {
  const auto read = parse_checkpoint(serialised({}));
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE(read->supervised || read->initial_weights || read->rpo);
}

TEST(Checkpoint, WhatIsNoneIsTold) {
  const std::string whole = serialised(example());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_checkpoint(whole.substr(0, size))) << "cut to " << size;
  EXPECT_FALSE(parse_checkpoint("GGUF"));
  for (const char nesting : {'\x81', '\x9f', '\x7f', '\x5f', '\xc1'})
    EXPECT_FALSE(parse_checkpoint(std::string(1'000'000, nesting)).ok());
  EXPECT_FALSE(parse_checkpoint("\x9b\x65\x65\x65\x65\x65\x65\x65\x65"));
  std::string newer = whole;
  const std::size_t at = newer.find("version");
  ASSERT_NE(at, std::string::npos);
  newer[at + 7] = 9;
  EXPECT_THAT(parse_checkpoint(newer).error().message(), HasSubstr("version 9"));
}

}  // namespace
}  // namespace rsd
