#include "rsd/ranker/index_corpus.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/names.h"
#include "rsd/data/corpus.h"
#include "rsd/llm/candidate_index_writer.h"

namespace rsd {
namespace {

// So many candidates are encoded together, and lost with an interruption.
constexpr std::size_t kBatch = 64;

constexpr NameTable<Task, 2> kTasks = {
    {{{Task::kPassage, "passage"}, {Task::kRecommendation, "recommendation"}}}};

class CorpusIndexing {
 public:
  CorpusIndexing(LlamaEngine& llm, const PromptBuilder& prompts, const IndexOptions& options)
      : llm_(llm), prompts_(prompts), options_(options) {}

  Result<IndexSummary> run() {
    for (const std::string& path : options_.corpus) {
      std::error_code failure;  // what can't be looked at is an error where it is read
      const auto type = std::filesystem::status(path, failure).type();
      if (failure || type == std::filesystem::file_type::regular) continue;
      return Error(ErrorCode::kInvalidArgument, path + " is no plain file: a corpus is read twice");
    }
    const auto head = block_of("x");
    if (!head) return head.error();
    head_ = head->head;
    auto there = finished();
    if (!there) return there.error();
    if (*there) return IndexSummary{.index = (*there)->info(), .was_there = true};
    auto writer =
        CandidateIndexWriter::open(llm_, {.folder = options_.folder,
                                          .task = std::string(kTasks.name_of(options_.task)),
                                          .head = head_,
                                          .type = options_.type});
    if (!writer) return writer.error();
    writer_ = *std::move(writer);
    if (auto surveyed = survey(); !surveyed) return surveyed.error();
    if (auto fits = check_room(); !fits) return fits.error();
    if (auto written = write(); !written) return written.error();
    const auto index = CandidateIndex::open(options_.folder);
    if (!index) return index.error();
    return IndexSummary{.index = (*index)->info()};
  }

 private:
  Result<PromptBuilder::CandidateBlock> block_of(const std::string& text) const {
    return prompts_.candidate_block(
        options_.task, text,
        {.context_tokens = llm_.context_size(), .max_text_tokens = options_.max_text_tokens});
  }

  struct Content {
    std::uint64_t digest = 0;
    std::size_t n_blocks = 0;
    std::uint64_t n_tokens = 0;

    bool operator==(const Content&) const = default;
  };

  // An index that an earlier run has written of this corpus for this LLM; null: there is none, or
  // another one, which the writer refuses.
  Result<std::shared_ptr<const CandidateIndex>> finished() {
    auto index = CandidateIndex::open(options_.folder);
    if (!index || (*index)->info().type != options_.type || (*index)->head() != head_)
      return std::shared_ptr<const CandidateIndex>();
    if (!llm_.use_index(*index)) return std::shared_ptr<const CandidateIndex>();
    const auto content = content_of_corpus();
    if (!content) return content.error();
    const CandidateIndex::Info& there = (*index)->info();
    if (*content == Content{.digest = there.corpus_digest,
                            .n_blocks = there.n_blocks,
                            .n_tokens = there.n_tokens}) {
      return index;
    }
    return std::shared_ptr<const CandidateIndex>();
  }

  // The number of tokens says whether texts are cut alike.
  Result<Content> content_of_corpus() const {
    Content content;
    std::unordered_set<std::string> ids;
    std::unordered_set<std::uint64_t> blocks;  // digests of their tokens
    auto read =
        for_each_document(options_.corpus, [&](const CorpusDocument& document) -> Result<void> {
          if (!ids.insert(document.id).second) return {};
          content.digest = corpus_digest(content.digest, document.id, document.text);
          const auto block = block_of(document.text);
          if (!block) return block.error();
          const auto& tokens = block->tokens;
          if (tokens.empty() || !blocks.insert(token_digest(tokens)).second) return {};
          ++content.n_blocks;
          content.n_tokens += tokens.size();
          return {};
        });
    if (!read) return read.error();
    return content;
  }

  // What the corpus takes, before anything of it is encoded; finds its faults, too.
  Result<void> survey() {
    std::unordered_map<std::string, std::uint64_t> texts;  // digests by id
    std::unordered_set<std::uint64_t> blocks;              // digests of their tokens
    auto read = for_each_document(options_.corpus, [&](const CorpusDocument& document) {
      return take_account(document, texts, blocks);
    });
    if (!read) return read;
    if (estimate_.n_blocks == 0)
      return Error(ErrorCode::kInvalidInput, "the corpus has no document with a text");
    estimate_.n_kept = writer_->n_kept();
    estimate_.size_bytes += writer_->empty_bytes();
    if (options_.on_estimate) options_.on_estimate(estimate_);
    return {};
  }

  Result<void> take_account(const CorpusDocument& document,
                            std::unordered_map<std::string, std::uint64_t>& texts,
                            std::unordered_set<std::uint64_t>& blocks) {
    const std::uint64_t text = corpus_digest(0, "", document.text);
    const auto [known, is_new] = texts.emplace(document.id, text);
    if (!is_new && known->second == text) return {};
    if (!is_new) {
      return Error(ErrorCode::kInvalidInput,
                   "document \"" + document.id + "\" stands twice, with different texts");
    }
    auto block = block_of(document.text);
    if (!block) return block.error();
    NewCandidate candidate{.id = document.id, .text = document.text, .tokens = {}};
    if (!block->tokens.empty() && blocks.insert(token_digest(block->tokens)).second)
      candidate.tokens = std::move(block->tokens);
    ++estimate_.n_candidates;
    estimate_.n_blocks += candidate.tokens.empty() ? 0 : 1;
    estimate_.n_tokens += candidate.tokens.size();
    estimate_.n_cut += block->is_cut ? 1 : 0;
    estimate_.size_bytes += writer_->bytes_of(candidate);
    return {};
  }

  Result<void> check_room() const {
    std::error_code failure;
    const auto space = std::filesystem::space(options_.folder, failure);
    const std::uint64_t n_left =
        estimate_.size_bytes - std::min(estimate_.size_bytes, writer_->size_bytes());
    if (failure || space.available >= n_left) return {};
    return Error(ErrorCode::kRuntime, "the index takes " + std::to_string(n_left >> 20U) +
                                          " MiB more; " + options_.folder + " has room for " +
                                          std::to_string(space.available >> 20U));
  }

  Result<void> write() {
    std::unordered_set<std::string> written;  // ids
    std::uint64_t digest = 0;
    auto read =
        for_each_document(options_.corpus, [&](const CorpusDocument& document) -> Result<void> {
          if (!written.insert(document.id).second) return {};
          digest = corpus_digest(digest, document.id, document.text);
          auto block = block_of(document.text);
          if (!block) return block.error();
          batch_.push_back(
              {.id = document.id, .text = document.text, .tokens = std::move(block->tokens)});
          return batch_.size() < kBatch ? Result<void>() : write_batch();
        });
    if (!read) return read;
    if (auto last = write_batch(); !last) return last;
    return writer_->commit(digest);
  }

  Result<void> write_batch() {
    if (options_.on_progress) options_.on_progress(n_written_, estimate_.n_candidates);
    if (auto added = writer_->add(batch_); !added) return added;
    n_written_ += batch_.size();
    batch_.clear();
    return {};
  }

  LlamaEngine& llm_;
  const PromptBuilder& prompts_;
  const IndexOptions& options_;
  std::vector<TokenId> head_;
  std::unique_ptr<CandidateIndexWriter> writer_;
  IndexEstimate estimate_;
  std::vector<NewCandidate> batch_;
  std::size_t n_written_ = 0;
};

}  // namespace

Result<IndexSummary> index_corpus(LlamaEngine& llm, const PromptBuilder& prompts,
                                  const IndexOptions& options) {
  return CorpusIndexing(llm, prompts, options).run();
}

Result<void> check_head(const CandidateIndex& index, const PromptBuilder& prompts) {
  const auto task = kTasks.parse("task", index.info().task);
  if (!task) return task.error().within("index " + index.info().path);
  const auto block = prompts.candidate_block(*task, "x", {.context_tokens = kDefaultMaxContext});
  if (!block) return block.error().within("index " + index.info().path);
  if (block->head == index.head()) return {};
  return Error(ErrorCode::kInvalidInput,
               "index " + index.info().path + " was made with another prompt template of task " +
                   index.info().task + ": its head has " + std::to_string(index.head().size()) +
                   " tokens, the template's has " + std::to_string(block->head.size()) +
                   (block->head.size() == index.head().size() ? ", others" : ""));
}

}  // namespace rsd
