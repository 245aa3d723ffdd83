#include "rsd/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

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

std::string fault_of(const std::string& content) {
  const auto read = parse_checkpoint(content);
  return read ? "no error" : read.error().message();
}

// Bytes that a damaged disk can produce, and impossible sizes.
TEST(Checkpoint, DamageIsAnErrorAndNoException) {
  EXPECT_THAT(fault_of("\x9b\x65\x65\x65\x65\x65\x65\x65\x65"), HasSubstr("damaged"));
  EXPECT_THAT(fault_of("\xbb\x65\x65\x65\x65\x65\x65\x65\x65"), HasSubstr("damaged"));
  const std::string whole = serialised(example());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char byte : {'\x00', '\x9b', '\xbb', '\xff', '\x5f', '\xfb'}) {
      std::string damaged = whole;
      damaged[at] = byte;
      EXPECT_NO_THROW(static_cast<void>(parse_checkpoint(damaged))) << at;
    }
  }
}

TEST(Checkpoint, AVersionOfTheWrongTypeIsAnError) {
  std::string odd = serialised({});
  const std::size_t at = odd.find("version") + 7;
  odd.replace(at, 1, "\x61\xff");  // a text of one byte that is not UTF-8
  EXPECT_THAT(fault_of(odd), HasSubstr("this rsd reads version 2"));
}

TEST(Checkpoint, ValuesThatAreNotFiniteAreNamedByField) {
  const auto with = [](auto change) {
    Checkpoint checkpoint = example();
    change(checkpoint);
    return fault_of(serialised(checkpoint));
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(with([&](Checkpoint& c) { c.supervised->weights[0] = kNan; }),
            "weights has a value that is not finite");
  EXPECT_EQ(with([&](Checkpoint& c) { c.supervised->best_weights[0] = -kInfinity; }),
            "best_weights has a value that is not finite");
  EXPECT_EQ(with([&](Checkpoint& c) { c.supervised->adamw.first[0] = kInfinity; }),
            "first has a value that is not finite");
  EXPECT_EQ(with([&](Checkpoint& c) { c.supervised->adamw.second[0] = -1; }),
            "second must hold means of squares, at least 0");
  EXPECT_EQ(with([&](Checkpoint& c) { c.supervised->best_kendall_tau = kNan; }),
            "best_kendall_tau must be a finite number or null");
  EXPECT_EQ(with([&](Checkpoint& c) { (*c.initial_weights)[0] = kNan; }),
            "initial_weights has a value that is not finite");
  EXPECT_EQ(with([&](Checkpoint& c) { c.rpo->weights[0] = kNan; }),
            "weights has a value that is not finite");
  EXPECT_EQ(with([&](Checkpoint& c) { c.rpo->best_return = kInfinity; }),
            "best_return must be a finite number or null");
}

TEST(Checkpoint, NumbersOfStepsAreWholeAndSmall) {
  std::string odd = serialised(example());
  const std::size_t step = odd.find("\x64step") + 5;
  odd[step] = '\x26';  // -7
  EXPECT_THAT(fault_of(odd), HasSubstr("step must be a whole number"));
  Checkpoint late = example();
  late.rpo->adamw.steps = std::numeric_limits<std::size_t>::max();
  EXPECT_THAT(fault_of(serialised(late)), HasSubstr("steps must be a whole number from 0 to 2^53"));
}

TEST(Checkpoint, WeightsThatAreCutWithinANumberAreErrors) {
  std::string odd = serialised({.supervised = {}, .initial_weights = {{1.0F}}, .rpo = {}});
  const std::size_t at = odd.find("initial_weights") + 15;
  ASSERT_EQ(odd[at], '\x44');  // four bytes
  odd.replace(at, 5, "\x43\x01\x01\x01");
  EXPECT_EQ(fault_of(odd), "initial_weights must hold whole numbers of float32");
}

TEST(Checkpoint, AFileThatIsNotACheckpointIsAnError) {
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
