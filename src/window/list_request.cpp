#include "rsd/window/list_request.h"

#include <algorithm>
#include <string>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/rank/presentation.h"

namespace rsd {
namespace {

// If nobody asked for windows but the list needs them, the best of the cheap methods is taken,
// which cost hardly more than one prompt. They do not give the LLM's own order, so ar and exact
// slide.
WindowMethod method_as_needed(DecoderKind decoder, bool reads_relevance) {
  if (decoder == DecoderKind::kAr || decoder == DecoderKind::kExact) return WindowMethod::kSliding;
  return reads_relevance ? WindowMethod::kRelevance : WindowMethod::kCalibrated;
}

bool names_windows(const WindowChoice& choice) {
  return choice.method || choice.size || choice.stride || choice.passes || choice.pivot ||
         choice.pool || choice.advance;
}

// The choice adapted to a smaller window `size`: values that are out of range now are left to the
// defaults.
WindowChoice shrunk(WindowChoice choice, std::size_t size) {
  choice.size = size;
  if (choice.stride && *choice.stride >= size) choice.stride.reset();
  if (choice.pivot && *choice.pivot >= size) choice.pivot.reset();
  if (choice.advance && *choice.advance > size / 2) choice.advance.reset();
  return choice;
}

// Tokens that are encoded after a prompt of so many items, as far as that is known beforehand.
std::size_t tokens_of_rounds(const DecodingOptions& decoding, std::size_t n_items) {
  constexpr std::size_t kUsualRounds = 4;  // of who is done when all is verified
  if (decoding.decoder == DecoderKind::kStd) return 0;
  if (decoding.decoder == DecoderKind::kAr) return n_items;
  const std::size_t rounds =
      takes_budget(decoding.decoder) ? decoding.budget.value_or(kUsualRounds) : kUsualRounds;
  return std::max<std::size_t>(rounds - 1, 1) * n_items;  // a draft makes one of the first
}

std::string named(std::size_t n_texts, bool query) {
  std::string what;
  if (query) what = "the query or the history";
  if (n_texts > 0)
    what += (query ? " and " : "") + std::to_string(n_texts) + (n_texts == 1 ? " text" : " texts");
  return what;
}

}  // namespace

Result<std::shared_ptr<const ListRequest>> ListRequest::create(const Request& request,
                                                               const ListSettings& settings,
                                                               const PromptSpace& space,
                                                               Clock::time_point now) {
  std::shared_ptr<ListRequest> list(new ListRequest(space.builder, space.context_tokens));
  list->n_items_ = request.candidates.size();
  list->items_ = items_with_text(request);
  list->order_ = Ranking::identity(list->items_.size());
  list->cache_scope_ = settings.cache_scope;
  list->options_ = {.windows = {},
                    .decoding = settings.decoding,
                    .budget = settings.budget,
                    .deadline = settings.deadline};
  if (list->items_.empty()) return Error(ErrorCode::kInvalidInput, "no candidate has a text");
  list->is_late_ = settings.deadline && now >= *settings.deadline;
  const bool can_be_read = list->items_.size() > 1 || space.reads_relevance;
  list->needs_llm_ = can_be_read && !list->is_late_;
  list->options_.decoding.reads_single = true;  // it is asked for only then
  if (!list->needs_llm_) {
    list->fitted_.request = presented(request, list->items_);
    return std::shared_ptr<const ListRequest>(std::move(list));
  }
  if (auto planned = list->plan(request, settings, space); !planned) return planned.error();
  if (settings.draft) list->begin_with(*settings.draft);
  return std::shared_ptr<const ListRequest>(std::move(list));
}

Result<void> ListRequest::plan(const Request& request, const ListSettings& settings,
                               const PromptSpace& space) {
  const auto presented_texts = presented(request, items_);
  auto fitted = builder_.fit(presented_texts, {.context_tokens = context_tokens_,
                                               .max_text_tokens = settings.max_text_tokens});
  if (!fitted) return fitted.error();
  fitted_ = *std::move(fitted);
  const bool any_cut = fitted_.truncated_candidates > 0 || fitted_.truncated_query;
  if (any_cut && settings.refuses_long_texts) {
    return Error(ErrorCode::kTooLong,
                 named(fitted_.truncated_candidates, fitted_.truncated_query) +
                     " would have to be cut to fit the context of " +
                     std::to_string(context_tokens_) + " tokens or the limit of " +
                     std::to_string(settings.max_text_tokens) + " tokens a text");
  }
  const std::size_t n_shown = items_.size();
  const std::size_t max_window = std::min(fitted_.max_window, space.max_items);
  in_windows_ = n_shown > std::min(max_window, settings.windows.size.value_or(n_shown));
  if (settings.windows.method == WindowMethod::kRelevance && !space.reads_relevance)
    return invalid_argument(
        "window method relevance is for LLMs that read relevance "
        "(docs/blocks.md), and this one doesn't");
  if (in_windows_) {
    if (auto chosen = choose_windows(settings.windows, max_window, space.reads_relevance); !chosen)
      return chosen;
    return check_work(settings);
  }
  options_.windows.size = std::max(options_.windows.size, n_shown);
  auto whole = builder_.build(fitted_.request, context_tokens_);
  if (!whole) return whole.error();
  whole_ = *std::move(whole);
  whole_->cache_scope = cache_scope_;
  return check_work(settings);
}

// An estimate, before any work of the LLM.
Result<void> ListRequest::check_work(const ListSettings& settings) {
  if (in_windows_) {
    const auto n_tokens = tokens_of_windows();
    if (!n_tokens) return n_tokens.error();
    options_.expected_tokens = *n_tokens;
  } else {
    DecodingOptions decoding = options_.decoding;
    if (options_.budget) decoding.budget = options_.budget;
    options_.expected_tokens = whole_->tokens.size() + tokens_of_rounds(decoding, items_.size());
  }
  if (!settings.max_tokens || options_.expected_tokens <= *settings.max_tokens) return {};
  return Error(ErrorCode::kTooLong, "the request is expected to take " +
                                        std::to_string(options_.expected_tokens) +
                                        " tokens of the LLM's work; it may take " +
                                        std::to_string(*settings.max_tokens));
}

Result<std::size_t> ListRequest::tokens_of_windows() const {
  const auto plan = WindowPlan::create(order_, options_.windows, options_.budget);
  if (!plan) return plan.error();
  const std::size_t n_windows = (*plan)->n_to_come();
  const std::size_t size = std::min(options_.windows.size, items_.size());
  DecodingOptions decoding = options_.decoding;
  const bool ranks_last = options_.windows.method == WindowMethod::kRelevance;
  const std::size_t rounds_of_last = ranks_last ? tokens_of_rounds(decoding, size) : 0;
  if (ranks_last || options_.windows.method == WindowMethod::kCalibrated)
    decoding.decoder = DecoderKind::kStd;
  if (options_.budget)
    decoding.budget =
        std::max<std::size_t>(*options_.budget / std::max<std::size_t>(n_windows, 1), 1);
  const std::size_t candidates = size * fitted_.candidate_tokens / items_.size();
  return n_windows * (fitted_.frame_tokens + candidates + tokens_of_rounds(decoding, size)) +
         rounds_of_last;
}

Result<void> ListRequest::choose_windows(const WindowChoice& choice, std::size_t size,
                                         bool reads_relevance) {
  WindowChoice chosen = choice;
  if (!names_windows(choice))
    chosen.method = method_as_needed(options_.decoding.decoder, reads_relevance);
  const std::size_t wanted = choice.size.value_or(WindowOptions().size);
  if (size < wanted) chosen = shrunk(chosen, size);
  auto windows = window_options(chosen, options_.decoding.top_n);
  if (!windows) return windows.error();
  options_.windows = *windows;
  return {};
}

// The draft, without candidates that are not shown, becomes the initial order of the list, or the
// first proposal if the list is one prompt.
void ListRequest::begin_with(const Ranking& draft) {
  std::vector<std::optional<ItemId>> shown_as(n_items_);
  for (std::size_t i = 0; i < items_.size(); ++i)
    shown_as[items_[i].slot()] = ItemId(i);
  std::vector<ItemId> order;
  order.reserve(items_.size());
  for (const ItemId item : draft.items())
    if (const auto shown = shown_as[item.slot()]) order.push_back(*shown);
  auto ranking = Ranking::create(std::move(order));
  RSD_CHECK(ranking.ok() && ranking->size() == items_.size(), "a draft of another request");
  if (in_windows_) {
    order_ = *std::move(ranking);
  } else {
    options_.decoding.first_proposal = *std::move(ranking);
  }
}

Result<Prompt> ListRequest::prompt(std::span<const ItemId> items) const {
  if (whole_) return *whole_;
  auto prompt = builder_.build(presented(fitted_.request, items), context_tokens_);
  if (prompt) prompt->cache_scope = cache_scope_;
  return prompt;
}

ListOutcome ListRequest::settled(Clock::time_point start, Clock::time_point now) const {
  RSD_CHECK(!needs_llm_, "a list that an LLM has to rank");
  ListOutcome list;
  list.outcome.ranking = order_;
  const bool is_known = items_.size() == 1;
  if (is_known) list.outcome.verified_prefix = list.confirmed_prefix = 1;
  list.outcome.deadline_hit = !is_known;
  list.budget = budget_of(options_, items_.size(), /*n_windows=*/0);
  list.outcome.timing.total_ms = ms_between(start, now);
  complete(list);
  return list;
}

void ListRequest::complete(ListOutcome& answer) const {
  if (items_.size() == n_items_) return;
  std::vector<ItemId> order;
  order.reserve(n_items_);
  std::vector<bool> is_shown(n_items_);
  for (const ItemId item : answer.outcome.ranking.items()) {
    order.push_back(items_[item.slot()]);
    is_shown[order.back().slot()] = true;
  }
  for (std::size_t i = 0; i < n_items_; ++i)
    if (!is_shown[i]) order.emplace_back(i);
  answer.outcome.ranking = *Ranking::create(std::move(order));
  for (std::size_t* prefix : {&answer.outcome.verified_prefix, &answer.confirmed_prefix})
    if (*prefix == items_.size()) *prefix = n_items_;
}

}  // namespace rsd
