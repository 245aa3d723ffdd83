#include "rsd/rank/agreement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace rsd {
namespace {

Ranking ranking_of(const std::vector<int>& items) {
  return Ranking::create({items.begin(), items.end()}).value();
}

Ranking random_ranking(std::size_t n_items, std::mt19937& random) {
  const auto identity = Ranking::identity(n_items);
  std::vector<ItemId> items(identity.items().begin(), identity.items().end());
  std::ranges::shuffle(items, random);
  return Ranking::create(std::move(items)).value();
}

Ranking reversed(const Ranking& ranking) {
  return Ranking::create({ranking.items().rbegin(), ranking.items().rend()}).value();
}

// Items 2 0 1 3 against 0 1 2 3: item 2 stands before 0 and 1 (two of six pairs discordant) and
// moved by two places, items 0 and 1 by one each.
TEST(Agreement, HandComputedExample) {
  const Ranking ranking = ranking_of({2, 0, 1, 3});
  const Ranking target = Ranking::identity(4);
  EXPECT_DOUBLE_EQ(kendall_tau(ranking, target), 2.0 / 6);
  EXPECT_DOUBLE_EQ(kemeny_distance(ranking, target), 2.0 / 6);
  EXPECT_DOUBLE_EQ(spearman_rho(ranking, target), 1 - 6.0 * 6 / 60);
  EXPECT_DOUBLE_EQ(spearman_return(ranking, target), 1 - 6.0 / 20);
  EXPECT_DOUBLE_EQ(footrule_distance(ranking, target), 4.0 / 8);
  EXPECT_EQ(matching_positions(ranking, target), 1);
}

// With an odd number of items the middle one stays: the largest footrule is floor(n^2/2), not
// n^2/2.
TEST(Agreement, ReversedOrderOfOddSizeIsAtTheLimits) {
  const Ranking target = ranking_of({3, 1, 4, 0, 2});
  EXPECT_EQ(kendall_tau(reversed(target), target), -1);
  EXPECT_EQ(kemeny_distance(reversed(target), target), 1);
  EXPECT_EQ(spearman_rho(reversed(target), target), -1);
  EXPECT_EQ(spearman_return(reversed(target), target), 0);
  EXPECT_EQ(footrule_distance(reversed(target), target), 1);
  EXPECT_EQ(matching_positions(reversed(target), target), 1);
}

// Correlating the two lists of item numbers, a known mistake, would give -1 here.
TEST(Agreement, PositionsOfItemsAreComparedAndNotTheItemsNumbers) {
  const Ranking ranking = ranking_of({1, 2, 0});
  const Ranking target = ranking_of({1, 0, 2});
  EXPECT_DOUBLE_EQ(kendall_tau(ranking, target), 1.0 / 3);
  EXPECT_DOUBLE_EQ(spearman_rho(ranking, target), 0.5);
}

TEST(Agreement, FewerThanTwoItemsAgree) {
  for (std::size_t n = 0; n < 2; ++n) {
    const Ranking only = Ranking::identity(n);
    EXPECT_EQ(kendall_tau(only, only), 1);
    EXPECT_EQ(spearman_rho(only, only), 1);
    EXPECT_EQ(spearman_return(only, only), 1);
    EXPECT_EQ(footrule_distance(only, only), 0);
    EXPECT_EQ(kemeny_distance(only, only), 0);
    EXPECT_EQ(matching_positions(only, only), static_cast<int>(n));
  }
}

TEST(Agreement, DifferentSizesAreABrokenInvariant) {
  const Ranking three = Ranking::identity(3);
  const Ranking four = Ranking::identity(4);
  EXPECT_THROW(kendall_tau(three, four), LogicError);
  EXPECT_THROW(spearman_rho(four, three), LogicError);
  EXPECT_THROW(spearman_return(three, four), LogicError);
  EXPECT_THROW(footrule_distance(four, three), LogicError);
  EXPECT_THROW(kemeny_distance(three, four), LogicError);
  EXPECT_THROW(matching_positions(four, three), LogicError);
  EXPECT_THROW(kendall_tau(Ranking(), Ranking::identity(1)), LogicError);
}

class AgreementProperty : public ::testing::Test {
 protected:
  // Calls `check` with pairs of random rankings of 2 to 31 items.
  template <class Check>
  void for_random_pairs(Check check) {
    constexpr std::uint32_t kSeed = 11;
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937 random(kSeed);
    for (int repeat = 0; repeat < 300; ++repeat) {
      const std::size_t n = 2 + random() % 30;
      const Ranking ranking = random_ranking(n, random);
      check(ranking, random_ranking(n, random));
    }
  }
};

TEST_F(AgreementProperty, EveryRankingAgreesFullyWithItselfAndNotAtAllWithItsReverse) {
  for_random_pairs([](const Ranking& ranking, const Ranking&) {
    EXPECT_EQ(kendall_tau(ranking, ranking), 1);
    EXPECT_EQ(spearman_rho(ranking, ranking), 1);
    EXPECT_EQ(footrule_distance(ranking, ranking), 0);
    EXPECT_EQ(kendall_tau(ranking, reversed(ranking)), -1);
    EXPECT_EQ(spearman_rho(ranking, reversed(ranking)), -1);
    EXPECT_EQ(footrule_distance(ranking, reversed(ranking)), 1);
  });
}

TEST_F(AgreementProperty, OrderOfTheArgumentsDoesNotMatter) {
  for_random_pairs([](const Ranking& a, const Ranking& b) {
    EXPECT_EQ(kendall_tau(a, b), kendall_tau(b, a));
    EXPECT_EQ(spearman_rho(a, b), spearman_rho(b, a));
    EXPECT_EQ(footrule_distance(a, b), footrule_distance(b, a));
    EXPECT_EQ(matching_positions(a, b), matching_positions(b, a));
  });
}

TEST_F(AgreementProperty, ReversingOneSideNegatesTheCorrelations) {
  for_random_pairs([](const Ranking& a, const Ranking& b) {
    EXPECT_NEAR(kendall_tau(reversed(a), b), -kendall_tau(a, b), 1e-12);
    EXPECT_NEAR(spearman_rho(reversed(a), b), -spearman_rho(a, b), 1e-12);
  });
}

TEST_F(AgreementProperty, MeasuresAreRelatedAsTheirDefinitionsSay) {
  for_random_pairs([](const Ranking& a, const Ranking& b) {
    EXPECT_NEAR(kemeny_distance(a, b), (1 - kendall_tau(a, b)) / 2, 1e-12);
    EXPECT_NEAR(spearman_return(a, b), (1 + spearman_rho(a, b)) / 2, 1e-12);
  });
}

// Diaconis and Graham 1977: discordant pairs <= footrule <= 2 * discordant pairs, before
// normalising.
TEST_F(AgreementProperty, FootruleLiesBetweenOnceAndTwiceTheDiscordantPairs) {
  for_random_pairs([](const Ranking& a, const Ranking& b) {
    const auto n = static_cast<double>(a.size());
    const double footrule = footrule_distance(a, b) * std::floor(n * n / 2);
    const double discordant = kemeny_distance(a, b) * n * (n - 1) / 2;
    EXPECT_LE(discordant, footrule + 1e-9);
    EXPECT_LE(footrule, 2 * discordant + 1e-9);
  });
}

// A swap of neighbours that the target orders the other way mends exactly one pair.
TEST_F(AgreementProperty, MendingOneInversionRaisesTauByOnePair) {
  for_random_pairs([](const Ranking& a, const Ranking& target) {
    const auto positions = target.positions();
    std::vector<ItemId> items(a.items().begin(), a.items().end());
    const auto inversion = std::ranges::adjacent_find(items, [&positions](ItemId x, ItemId y) {
      return positions[x.slot()] > positions[y.slot()];
    });
    if (inversion == items.end()) return;
    std::iter_swap(inversion, inversion + 1);
    const auto n = static_cast<double>(a.size());
    EXPECT_NEAR(kendall_tau(Ranking::create(items).value(), target) - kendall_tau(a, target),
                2 / (n * (n - 1) / 2), 1e-12);
  });
}

// Made by tools/make_metric_fixtures.py; read from the root of the sources.
TEST(AgreementFixture, EqualsSciPyAndThePlainDefinitions) {
  std::ifstream file("tests/fixtures/metrics.json");
  ASSERT_TRUE(file) << "tests/fixtures/metrics.json can't be opened from the working directory";
  const auto fixture = nlohmann::json::parse(file);
  SCOPED_TRACE("fixture seed " + fixture.at("seed").dump());
  const auto& cases = fixture.at("agreement");
  ASSERT_GE(cases.size(), 100U);
  for (const auto& expected : cases) {
    SCOPED_TRACE(expected.dump());
    const Ranking ranking = ranking_of(expected.at("ranking"));
    const Ranking target = ranking_of(expected.at("target"));
    EXPECT_NEAR(kendall_tau(ranking, target), expected.at("kendall_tau"), 1e-12);
    EXPECT_NEAR(spearman_rho(ranking, target), expected.at("spearman_rho"), 1e-12);
    EXPECT_NEAR(footrule_distance(ranking, target), expected.at("footrule_distance"), 1e-12);
    EXPECT_NEAR(kemeny_distance(ranking, target), expected.at("kemeny_distance"), 1e-12);
  }
}

}  // namespace
}  // namespace rsd
