// Start here: rank the candidates of a request with an LLM.
//
//   auto ranker = rsd::Ranker::load();  // the default model and agent
//   if (!ranker) return fail(ranker.error());
//   auto answer = ranker->rank({.query = "how long to steep green tea",
//                               .candidates = {{.text = "Boil."}, {.text = "Three minutes."}}},
//                              {.budget = 3});
//   for (const rsd::ItemId item : answer->ranking.items()) ...
//
// docs/library.md is a tour of the other headers.
#pragma once

#include "rsd/ranker/ranker.h"
#include "rsd/ranker/ranking_queue.h"
#include "rsd/version.h"
