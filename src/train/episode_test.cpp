#include "rsd/train/episode.h"

#include <gtest/gtest.h>

#include "rsd/rank/presentation.h"
#include "rsd/train/collect.h"
#include "rsd/train/hold_out.h"
#include "support/alternating_scorer.h"

namespace rsd {
namespace {

Request request_of(const std::string& id) {
  Request request{.id = id, .query = "how do bees make honey?"};
  for (std::size_t i = 0; i < 6; ++i)
    request.candidates.push_back(
        {.id = std::to_string(i), .text = "text", .first_stage_score = std::nullopt});
  return request;
}

Trace trace(const Request& request) {
  AlternatingScorer scorer(1, request.candidates.size());
  return collect(request, scorer, {.n_decodings = 1, .budget = 2}).value().front();
}

TEST(Episode, WindowsAndPiecesOfAListAreHeldOutAsTheListIs) {
  const Request whole = request_of("q7");
  const std::string key = episode_of(trace(whole)).value().split_key;
  EXPECT_EQ(key, split_key(whole));
  Request window = presented(whole, std::vector<std::size_t>{3, 4, 5});
  window.id = "q7/2";
  EXPECT_EQ(episode_of(trace(window)).value().split_key, key);
  EXPECT_EQ(episode_of(trace(request_of("other/q7-s1"))).value().split_key, key);
}

TEST(Episode, TracesWithoutAKeyAreHeldOutByTheirIds) {
  Trace old = trace(request_of("file/q7-s1/3"));
  old.split_key.clear();
  EXPECT_EQ(episode_of(old).value().split_key, split_key_of_id("file/q7-s1/3"));
}

TEST(Episode, ATraceThatWasReadBackMakesTheSameEpisode) {
  const Trace written = trace(request_of("q7"));
  const Episode episode = episode_of(parse_trace(format_trace(written)).value()).value();
  EXPECT_EQ(episode.id, "q7");
  EXPECT_EQ(episode.split_key, written.split_key);
  EXPECT_EQ(episode.target, written.target);
  EXPECT_EQ(episode.history.rounds().size(), written.history.rounds().size());
}

TEST(Episode, NeedsARoundAndATarget) {
  Trace without_target = trace(request_of("q7"));
  without_target.target.reset();
  without_target.history = without_target.history.after(1);
  EXPECT_EQ(episode_of(without_target).error().code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(episode_of(without_target).error().message(),
            "it has no target, and its rounds don't make all of the target ranking known");
  Trace without_rounds = trace(request_of("q7"));
  without_rounds.history = without_rounds.history.after(0);
  EXPECT_EQ(episode_of(without_rounds).error().message(), "it has no rounds");
}

}  // namespace
}  // namespace rsd
