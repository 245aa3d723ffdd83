// Relevance judgements.
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "rsd/data/qrels.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  const MemoryFile file(input);
  const auto qrels = read_qrels(file.path());
  if (!is_value(qrels)) return;
  require(!qrels->empty(), "a file that was read has judgements");
  for (const auto& [query, grades] : *qrels)
    require(!query.empty() && !grades.empty(), "a query has an id and judgements");
}

}  // namespace rsd::fuzz
