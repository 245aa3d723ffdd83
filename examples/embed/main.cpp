// rsd as a library, with an own source of logits instead of an LLM.
//
// What decodes is an rsd::PositionScorer: it says how good every item looks at each position of a
// proposed ranking. This one looks the answer up in a table by the item that stands before.
#include <rsd/decode/decoding.h>
#include <rsd/decode/ranking_policy.h>
#include <rsd/decode/run.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iostream>
#include <optional>

namespace {

constexpr std::size_t kItems = 4;
constexpr std::array<const char*, kItems> kNames = {"coffee", "tea", "water", "juice"};

// Logits of the items: for the first position, and after each of the items.
constexpr std::array<float, kItems> kFirst = {3, 1, 2, 0};
constexpr std::array<std::array<float, kItems>, kItems> kAfter = {{
    {0, 4, 3, 0},  // after coffee
    {0, 0, 3, 1},  // after tea
    {1, 3, 0, 0},  // after water
    {0, 1, 2, 0},  // after juice
}};

class TableScorer final : public rsd::PositionScorer {
 public:
  std::size_t n_items() const noexcept override { return kItems; }
  std::size_t n_prefill_tokens() const override { return 0; }

  rsd::Result<rsd::Prefill> prefill(std::optional<rsd::Clock::time_point>) override {
    return rsd::Prefill{};
  }

  rsd::Result<rsd::Encoding> encode(const rsd::EncodingQuery& query) override {
    rsd::Encoding encoding;
    encoding.rows = rsd::LogitMatrix(query.rows.size(), kItems);
    for (std::size_t j = query.rows.first; j < query.rows.end; ++j) {
      const auto& logits = j == 0 ? kFirst : kAfter[query.proposal[j - 1].slot()];
      std::ranges::copy(logits, encoding.rows.row(j - query.rows.first).begin());
    }
    encoding.n_tokens = query.rows.size();
    return encoding;
  }

  void forget_proposals() override {}  // a table has nothing to forget
};

rsd::Result<rsd::Outcome> rank_drinks() {
  rsd::DecodingOptions options;
  options.decoder = rsd::DecoderKind::kRsd;
  options.budget = 2;
  options.policy = rsd::policy_by_name("mean-logprob").value();
  auto decoding = rsd::Decoding::create(kItems, options);
  if (!decoding) return decoding.error();
  TableScorer scorer;
  return rsd::run(*decoding, scorer);
}

}  // namespace

int main() {
  const auto outcome = rank_drinks();
  if (!outcome) {
    std::cerr << outcome.error().message() << '\n';
    return 1;
  }
  std::cout << "ranking:";
  for (const rsd::ItemId item : outcome->ranking.items())
    std::cout << ' ' << kNames[item.slot()];
  std::cout << "\nencodings: " << outcome->encodings
            << ", known for sure: " << outcome->verified_prefix << " of " << kItems << '\n';
}
