// Makes an index of candidates from a corpus: `rsd index`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "rsd/core/progress.h"
#include "rsd/core/result.h"
#include "rsd/llm/candidate_index.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/request.h"

namespace rsd {

// What an index is going to take, which is known before its first block is encoded.
struct IndexEstimate {
  std::size_t n_candidates = 0;
  std::size_t n_blocks = 0;    // candidates with the same tokens share one; blank ones have none
  std::uint64_t n_tokens = 0;  // of the blocks
  std::size_t n_cut = 0;       // texts that are cut
  std::size_t n_kept = 0;      // candidates that an interrupted run has left
  std::uint64_t size_bytes = 0;
};

struct IndexOptions {
  std::vector<std::string> corpus;  // files (rsd/data/corpus.h), which are read twice
  std::string folder;
  Task task = Task::kPassage;  // whose prompt template the candidates are for
  BlockType type = BlockType::kF16;
  std::size_t max_text_tokens = kDefaultTextTokens;         // as in RankOptions
  std::function<void(const IndexEstimate&)> on_estimate{};  // may be empty
  OnProgress on_progress{};                                 // by candidates
};

struct IndexSummary {
  CandidateIndex::Info index;
  bool was_there = false;  // written by an earlier run, of the same corpus
};

// Encodes every document's block once, and writes them into the folder. After an interruption the
// same call goes on. kInvalidInput, with file and line: a line that can't be read, or two documents
// with one id; kRuntime: there is no room for the index; kUnsupported: the template is not in
// blocks. Else the errors of CandidateIndexWriter. Cost: the documents' tokens through the LLM;
// memory for the ids.
Result<IndexSummary> index_corpus(LlamaEngine& llm, const PromptBuilder& prompts,
                                  const IndexOptions& options);

// Is the index for the prompts of its task? kInvalidInput: its head is another one's.
Result<void> check_head(const CandidateIndex& index, const PromptBuilder& prompts);

}  // namespace rsd
