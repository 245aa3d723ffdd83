#include "trace_file.h"

#include <string>

namespace rsd::cli {

Trace trace_of(const Request& request, const Decoding& decoding, const Ranking& answer) {
  const History& history = decoding.history();
  Trace trace{.id = request.id,
              .task = request.task,
              .decoder = std::string(to_string(decoding.options().decoder)),
              .n_items = history.n_items(),
              .ranking = {answer.items().begin(), answer.items().end()}};
  for (const Round& round : history.rounds()) {
    const auto known = history.known().first(round.known);
    const auto logits = round.logits.values();
    trace.rounds.push_back({.proposal = round.proposal,
                            .accepted = round.accepted,
                            .known = {known.begin(), known.end()},
                            .n_rows = round.logits.n_rows(),
                            .logits = {logits.begin(), logits.end()}});
  }
  return trace;
}

}  // namespace rsd::cli
