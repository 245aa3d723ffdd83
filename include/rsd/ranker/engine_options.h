// Which LLM ranks, where it runs, and the agent that proposes rankings to it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/data/request_reader.h"
#include "rsd/decode/llm_engine.h"
#include "rsd/llm/candidate_index.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/models/model_places.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/prompt/prompt_template.h"
#include "rsd/remote/remote_engine.h"

namespace rsd {

struct EngineOptions {
  // A GGUF file, or a model that comes with rsd, by its name: "default" or "default-blocks" (for
  // prompts in blocks); beside `remote` the GGUF or tokenizer.json of the model that the server
  // runs. Empty: "default". The LLM that these are made of must have been fetched (`rsd model
  // fetch`).
  std::string model{};
  std::vector<LoraFile> loras{};  // without `model`, in place of the default model's own adapter
  std::vector<std::string> prompt_templates{};  // YAML files, in place of the built-in ones

  // Limit for the tokens of prompt and ranking; 0: the model's, at most kDefaultMaxContext.
  std::size_t context_size = 0;
  // Prompts that go through the LLM together, at most kMaxParallel; 0: 1, or 16 with `remote`.
  std::size_t parallel = 0;
  // Memory for encoded prompts (LlamaOptions::prompt_cache_bytes). nullopt: 16 MiB, or none with
  // RPC servers, from which each kept prompt would be fetched.
  std::optional<std::size_t> prompt_cache_bytes{};
  // LlamaOptions::block_cache_bytes; nullopt: prompt_cache_bytes where that is named, else
  // default_block_cache_bytes(), or none with RPC servers.
  std::optional<std::size_t> block_cache_bytes{};
  // LlamaOptions::index: CandidateIndex::open() of a folder that `rsd index` has written. For local
  // LLMs.
  std::shared_ptr<const CandidateIndex> index{};
  PromptReuseMode reuse = PromptReuseMode::kBeginnings;
  int threads = 0;                         // 0 = one per core
  int gpu_layers = 0;                      // layers on the GPU; -1 = all
  std::vector<std::string> rpc_servers{};  // LlamaOptions::rpc_servers
  std::vector<double> tensor_split{};      // LlamaOptions::tensor_split
  // The LLM runs on these servers. Tokenizer, context size and parallel are taken from the members
  // of this struct, not from `remote`.
  std::optional<RemoteOptions> remote{};

  // The learned policy's file; empty: the project's own agent, if it is found.
  std::string agent{};
  // The policy of requests without RankOptions::policy; empty: the agent, or kDefaultPolicy if
  // there is no agent.
  std::string policy{};

  ModelPlaces places{};  // of the default model and the agent
  LogSink log{};         // LlamaOptions::log
};

// EngineOptions::parallel, with 0 replaced by its default.
std::size_t parallel_of(const EngineOptions& options) noexcept;

// kInvalidArgument: options that contradict each other, such as adapters for a remote LLM.
Result<void> check(const EngineOptions& options);

// The GGUF file that is chosen by `model` and `loras`. The default model is prepared if only its
// parts are there. kNotFound: it is missing, the message says how to get it; kInvalidInput: it is
// damaged.
Result<std::string> model_file(const EngineOptions& options);

// Asks a remote LLM's servers for their model and keeps the answer in remote->served, so that it
// can be recorded before anything is loaded. No change if the LLM is local. Errors of check()
// and RemoteEngine::served_model.
Result<EngineOptions> with_served_model(EngineOptions options);

// The built-in templates, each replaced by that of a file for the same task. kNotFound,
// kInvalidInput.
Result<PromptTemplates> load_templates(const std::vector<std::string>& files);

// Builds prompts for the LLM; tasks without a template of their own get the built-in one of the
// layout that the model is tuned for. kUnsupported: a template in blocks, which the LLM can't take;
// kInvalidInput: the index, which may be null, is for other prompts.
Result<PromptBuilder> make_prompts(const LlmEngine& llm, PromptTemplates templates,
                                   const CandidateIndex* index = nullptr);

// For RequestLimits::texts: those of the index. Empty where there is none.
RequestLimits::Texts candidate_texts(const EngineOptions& options);

// Memory for the blocks of candidates where none is named: 512 MiB, which holds 220 passages of 100
// tokens of the default model, but no more than an eighth of the machine's.
std::size_t default_block_cache_bytes();

// An LLM that is ready. Errors of check(), model_file(), and LlamaEngine::load, or load_tokenizer
// and RemoteEngine::connect.
Result<std::unique_ptr<LlmEngine>> load_engine(const EngineOptions& options);
// The same for one that must run here. kInvalidArgument where `remote` is set.
Result<std::unique_ptr<LlamaEngine>> load_local_engine(const EngineOptions& options);

}  // namespace rsd
