#include <algorithm>
#include <optional>
#include <utility>

#include "eval/bench_ways.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/run.h"
#include "rsd/eval/bench.h"

namespace rsd {
namespace {

double ms_since(Clock::time_point start) {
  return ms_between(start, Clock::now());
}

struct Way {
  const char* name;
  DecoderKind decoder;
  std::optional<std::size_t> budget;
};
// Those that are measured after rsd T=2, from the same prefill.
constexpr Way kWays[] = {
    {"ar", DecoderKind::kAr, std::nullopt}, {"std", DecoderKind::kStd, std::nullopt},
    {"sd T=2", DecoderKind::kSd, 2},        {"sd", DecoderKind::kSd, std::nullopt},
    {"rsd T=3", DecoderKind::kRsd, 3},      {"exact", DecoderKind::kExact, std::nullopt}};

// A prompt that asks for a ranking as a text of numbers in brackets, RankGPT's way, and that text.
struct TextTask {
  std::vector<TokenId> prompt;
  std::vector<TokenId> answer;
};

TextTask text_task(const Tokenizer& tokenizer, const Request& request,
                   const std::vector<ItemId>& ranking) {
  const std::string count = std::to_string(request.candidates.size());
  std::string asked = request.query;
  for (const auto& title : request.history)
    asked += (asked.empty() ? "" : "; ") + title;
  std::string text = "Below are " + count +
                     " passages, each under a number in brackets. Rank them " +
                     "by their relevance to the search query: " + asked + ".\n";
  for (std::size_t i = 0; i < request.candidates.size(); ++i)
    text += "[" + std::to_string(i + 1) + "] " + request.candidates[i].text + "\n";
  text += "Search query: " + asked + ".\nList all " + count + " passages by their numbers, the " +
          "most relevant first, in the form [] > [], such as [4] > [2], and say nothing else.";
  std::string answer;
  for (const ItemId item : ranking)
    answer += (answer.empty() ? "[" : " > [") + std::to_string(item.value() + 1) + "]";
  const ChatFrame frame = tokenizer.chat_frame(false);
  TextTask task{.prompt = frame.opening, .answer = tokenizer.encode_text(answer)};
  const auto tokens = tokenizer.encode_text(text);
  task.prompt.insert(task.prompt.end(), tokens.begin(), tokens.end());
  task.prompt.insert(task.prompt.end(), frame.closing.begin(), frame.closing.end());
  return task;
}

WayCost cost_of(std::string way, const Outcome& outcome) {
  return {.way = std::move(way),
          .encodings = outcome.encodings,
          .tokens_encoded = outcome.tokens_encoded,
          .prefill_ms = outcome.timing.prefill_ms,
          .decode_ms = outcome.timing.decode_ms,
          .total_ms = outcome.timing.total_ms};
}

class Bench {
 public:
  Bench(BenchSetup& setup, const Request& request) : setup_(setup), request_(request) {}

  Result<BenchedRequest> run(std::size_t number) {
    benched_.n_items = request_.candidates.size();
    if (auto done = by_decoders(number); !done) return done.error();
    if (auto done = generate(*setup_.ranking, kGeneration); !done) return done.error();
    if (setup_.shipped) {
      if (auto done = generate(*setup_.shipped, kShippedGeneration); !done) return done.error();
    }
    if (auto done = reuse(); !done) return done.error();
    return std::move(benched_);
  }

 private:
  Result<Outcome> decode(PositionScorer& scorer, const Way& way) {
    auto decoding = Decoding::create(scorer.n_items(), {.decoder = way.decoder,
                                                        .budget = way.budget,
                                                        .draft = std::nullopt,
                                                        .first_proposal = std::nullopt,
                                                        .top_n = std::nullopt,
                                                        .policy = setup_.policy});
    if (!decoding) return decoding.error();
    return rsd::run(*decoding, scorer, {.deadline = std::nullopt, .costs = &setup_.costs});
  }

  // rsd T=2 from the request on, the others from its prefill.
  Result<void> by_decoders(std::size_t number) {
    const auto start = Clock::now();
    const double passes_before = setup_.ranking->passes_ms();
    auto prompt = setup_.ranking->prompt(request_);
    if (!prompt) return prompt.error();
    auto opened = setup_.ranking->engine().open(*std::move(prompt));
    if (!opened) return opened.error();
    PositionScorer& scorer = **opened;
    benched_.n_prompt_tokens = scorer.n_prefill_tokens();
    auto answer = decode(scorer, {kRsdWay, DecoderKind::kRsd, 2});
    if (!answer) return answer.error();
    const double total_ms = ms_since(start);
    benched_.overhead =
        1 - (setup_.ranking->passes_ms() - passes_before) / std::max(total_ms, 1e-9);
    benched_.ways.push_back(cost_of(kRsdWay, *answer));
    benched_.ways.back().total_ms = total_ms;
    for (std::size_t n = 0; n < std::size(kWays); ++n) {
      const Way& way = kWays[(n + number) % std::size(kWays)];
      scorer.forget_proposals();
      auto outcome = decode(scorer, way);
      if (!outcome) return outcome.error().within(way.name);
      if (way.decoder == DecoderKind::kAr)
        target_.assign(outcome->ranking.items().begin(), outcome->ranking.items().end());
      benched_.ways.push_back(cost_of(way.name, *outcome));
    }
    return {};
  }

  Result<void> generate(BenchedLlm& llm, const char* way) {
    const TextTask task = text_task(*llm.engine().tokenizer(), request_, target_);
    const auto times = llm.time_generation(task.prompt, task.answer);
    if (!times) return times.error().within(way);
    benched_.ways.push_back({.way = way,
                             .encodings = task.answer.size(),
                             .tokens_encoded = task.prompt.size() + task.answer.size() - 1,
                             .prefill_ms = times->prefill_ms,
                             .decode_ms = times->decode_ms,
                             .total_ms = times->prefill_ms + times->decode_ms});
    return {};
  }

  // The prompt, and one that differs from it in the last fifth.
  Result<void> reuse() {
    LlmEngine& llm = setup_.reusing->engine();
    auto prompt = setup_.reusing->prompt(request_);
    if (!prompt) return prompt.error();
    Prompt other = *prompt;
    std::reverse(other.tokens.end() - static_cast<std::ptrdiff_t>(other.tokens.size() / 5),
                 other.tokens.end());
    const auto first = prefill(llm, *std::move(prompt));
    if (!first) return first.error();
    const auto second = prefill(llm, std::move(other));
    if (!second) return second.error();
    benched_.reuse_speedup = first->ms / std::max(second->ms, 1e-9);
    return {};
  }

  static Result<Prefill> prefill(LlmEngine& llm, Prompt prompt) {
    auto scorer = llm.open(std::move(prompt));
    if (!scorer) return scorer.error();
    return (*scorer)->prefill(std::nullopt);
  }

  BenchSetup& setup_;
  const Request& request_;
  std::vector<ItemId> target_;
  BenchedRequest benched_;
};

}  // namespace

const WayCost* BenchedRequest::find(const std::string& way) const {
  const auto found = std::ranges::find(ways, way, &WayCost::way);
  return found == ways.end() ? nullptr : &*found;
}

Result<BenchedRequest> bench_request(BenchSetup& setup, const Request& request,
                                     std::size_t number) {
  return Bench(setup, request).run(number);
}

}  // namespace rsd
