#include "rsd/window/window_plan.h"

#include <algorithm>
#include <string>
#include <utility>

#include "calibrated_windows.h"
#include "core/names.h"
#include "merged.h"
#include "relevance_windows.h"
#include "rsd/core/check.h"
#include "sliding_windows.h"
#include "top_down.h"
#include "tournament.h"

namespace rsd {
namespace {

constexpr NameTable<WindowMethod, 5> kMethods{{{{WindowMethod::kSliding, "sliding"},
                                                {WindowMethod::kTopDown, "top-down"},
                                                {WindowMethod::kTournament, "tournament"},
                                                {WindowMethod::kCalibrated, "calibrated"},
                                                {WindowMethod::kRelevance, "relevance"}}}};

// A list that fits one window.
class SingleWindow final : public WindowPlan {
 public:
  explicit SingleWindow(Ranking order) : order_(std::move(order)) {}

  std::optional<Window> next() override {
    if (std::exchange(given_, true)) return std::nullopt;
    return Window{.number = 0,
                  .items = {order_.items().begin(), order_.items().end()},
                  .wanted = order_.size(),
                  .is_last = true,
                  .pivot = std::nullopt};
  }
  void absorb(std::size_t number, const RankedWindow& window) override {
    RSD_CHECK(number == 0, "the only window");
    order_ = *Ranking::create(
        ranked_items({order_.items().begin(), order_.items().end()}, window.ranking));
    verified_ = window.verified;
  }
  std::size_t n_to_come() const override { return given_ ? 0 : 1; }
  void limit(std::size_t /*n_windows*/) override {}
  Ranking order() const override { return order_; }
  std::size_t verified() const override { return verified_; }
  std::size_t confirmed() const override { return verified_; }

 private:
  Ranking order_;
  bool given_ = false;
  std::size_t verified_ = 0;
};

Error out_of_range(const std::string& what, std::size_t value, std::size_t least,
                   std::optional<std::size_t> most) {
  return {ErrorCode::kInvalidArgument,
          what + " " + std::to_string(value) + " is not " +
              (most ? "between " + std::to_string(least) + " and " + std::to_string(*most)
                    : "at least " + std::to_string(least))};
}

}  // namespace

Result<void> check(const WindowOptions& options) {
  if (options.size < 2) return out_of_range("window", options.size, 2, std::nullopt);
  switch (options.method) {
    case WindowMethod::kSliding:
      if (options.stride < 1 || options.stride >= options.size)
        return out_of_range("stride", options.stride, 1, options.size - 1);
      if (options.passes < 1) return out_of_range("passes", options.passes, 1, std::nullopt);
      break;
    case WindowMethod::kTournament:
      if (options.advance < 1 || options.advance > options.size / 2)
        return out_of_range("advance", options.advance, 1, options.size / 2);
      break;
    case WindowMethod::kTopDown:
    case WindowMethod::kCalibrated:
      if (options.pivot && (*options.pivot < 1 || *options.pivot >= options.size))
        return out_of_range("pivot", *options.pivot, 1, options.size - 1);
      if (options.pool && *options.pool < 2)
        return out_of_range("pool", *options.pool, 2, std::nullopt);
      break;
    case WindowMethod::kRelevance:
      break;
  }
  return {};
}

WindowChoice WindowChoice::over(const WindowChoice& other) const {
  WindowChoice both = *this;
  if (!both.size) both.size = other.size;
  if (both.method && *both.method != other.method.value_or(WindowMethod::kSliding)) return both;
  if (!both.method) both.method = other.method;
  if (!both.stride && !size) both.stride = other.stride;
  if (!both.passes) both.passes = other.passes;
  if (!both.pivot && !size) both.pivot = other.pivot;
  if (!both.pool) both.pool = other.pool;
  if (!both.advance && !size) both.advance = other.advance;
  return both;
}

Result<WindowOptions> window_options(const WindowChoice& choice, std::optional<std::size_t> top_n) {
  WindowOptions options{.method = choice.method.value_or(WindowMethod::kSliding)};
  const auto unused = [&](const char* what, const auto& value, auto... users) {
    return value && ((options.method != users) && ...)
               ? std::optional(Error(ErrorCode::kInvalidArgument,
                                     std::string(what) + " is not used by window method " +
                                         std::string(to_string(options.method))))
               : std::nullopt;
  };
  for (const auto& error :
       {unused("stride", choice.stride, WindowMethod::kSliding),
        unused("passes", choice.passes, WindowMethod::kSliding),
        unused("pivot", choice.pivot, WindowMethod::kTopDown, WindowMethod::kCalibrated),
        unused("pool", choice.pool, WindowMethod::kTopDown),
        unused("advance", choice.advance, WindowMethod::kTournament)}) {
    if (error) return *error;
  }
  options.size = choice.size.value_or(options.size);
  options.stride = choice.stride.value_or(options.size / 2);
  options.passes = choice.passes.value_or(options.passes);
  options.pivot = choice.pivot;
  options.pool = choice.pool;
  options.top_n = top_n;
  options.advance =
      choice.advance.value_or(std::min(top_n.value_or(options.advance), options.size / 2));
  if (auto sensible = check(options); !sensible) return sensible.error();
  return options;
}

std::string_view to_string(WindowMethod method) noexcept {
  return kMethods.name_of(method);
}
Result<WindowMethod> parse_window_method(std::string_view name) {
  return kMethods.parse("window method", name);
}

Result<std::unique_ptr<WindowPlan>> WindowPlan::create(const Ranking& order,
                                                       const WindowOptions& options,
                                                       std::optional<std::size_t> most_windows) {
  if (auto sensible = check(options); !sensible) return sensible.error();
  RSD_CHECK(!most_windows || *most_windows > 0, "a plan of no windows");
  std::unique_ptr<WindowPlan> plan;
  if (order.size() <= options.size) {
    plan = std::make_unique<SingleWindow>(order);
  } else if (options.method == WindowMethod::kTopDown) {
    plan = std::make_unique<TopDown>(order, options);
  } else if (options.method == WindowMethod::kTournament) {
    plan = std::make_unique<Tournament>(order, options);
  } else if (options.method == WindowMethod::kCalibrated) {
    plan = std::make_unique<CalibratedWindows>(order, options);
  } else if (options.method == WindowMethod::kRelevance) {
    plan = std::make_unique<RelevanceWindows>(order, options);
  } else {
    plan = std::make_unique<SlidingWindows>(order, options);
  }
  if (most_windows) plan->limit(*most_windows);
  return plan;
}

}  // namespace rsd
