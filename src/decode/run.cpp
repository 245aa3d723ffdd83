#include "rsd/decode/run.h"

#include "decode/pass_costs.h"
#include "rsd/decode/decoding_run.h"

namespace rsd {
namespace {

Result<PartResult> encode(const PassPart& part, const std::optional<Clock::time_point>& deadline) {
  if (part.query) {
    auto encoding = part.scorer->encode(*part.query);
    if (!encoding) return encoding.error();
    return PartResult(*std::move(encoding));
  }
  const auto prefill = part.scorer->prefill(deadline);
  if (!prefill) return prefill.error();
  return PartResult(*prefill);
}

}  // namespace

Result<Outcome> run(Decoding& decoding, PositionScorer& scorer, const RunOptions& options) {
  DecodingRun request(decoding, scorer, options);
  while (true) {
    const auto part = request.next();
    if (!part) return part.error();
    if (!part->has_value()) {
      auto outcome = request.outcome();
      if (options.costs && outcome && outcome->refused) options.costs->doubt(*outcome->refused);
      return outcome;
    }
    PassCosts pass;
    pass.add(request);
    const auto start = options.now();
    auto result = encode(**part, options.deadline);
    if (!result && result.error().code() != ErrorCode::kDeadlineExceeded) return result.error();
    if (options.costs && result) pass.observe(*options.costs, ms_of(*result));
    if (options.costs && !result)
      pass.observe_given_up(*options.costs, ms_between(start, options.now()));
    if (auto done = result ? request.absorb(*result) : request.give_up(); !done)
      return done.error();
  }
}

}  // namespace rsd
