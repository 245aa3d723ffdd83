#include "rsd/ranker/engine_options.h"

#include <algorithm>
#include <utility>

#include "rsd/core/machine.h"
#include "rsd/llm/load_tokenizer.h"
#include "rsd/models/default_model.h"
#include "rsd/ranker/index_corpus.h"

namespace rsd {
namespace {

Error for_local_only(const std::string& option, const std::string& instead) {
  return invalid_argument(option + " is for local LLMs; with a remote one " + instead);
}

// The log of the places, else of all.
ModelPlaces places_of(const EngineOptions& options) {
  ModelPlaces places = options.places;
  if (!places.log) places.log = options.log;
  return places;
}

std::size_t cache_bytes_of(const EngineOptions& options) {
  constexpr std::size_t kDefault = std::size_t{16} << 20U;
  return options.prompt_cache_bytes.value_or(options.rpc_servers.empty() ? kDefault : 0);
}

std::optional<std::size_t> block_cache_bytes_of(const EngineOptions& options) {
  if (options.block_cache_bytes) return options.block_cache_bytes;
  if (options.prompt_cache_bytes || !options.rpc_servers.empty()) return std::nullopt;
  return default_block_cache_bytes();
}

LlamaOptions llama_options(const EngineOptions& options, std::string model) {
  return {.model_path = std::move(model),
          .loras = options.loras,
          .context_size = options.context_size,
          .prompt_cache_bytes = cache_bytes_of(options),
          .block_cache_bytes = block_cache_bytes_of(options),
          .index = options.index,
          .reuse = options.reuse,
          .parallel = parallel_of(options),
          .threads = options.threads,
          .gpu_layers = options.gpu_layers,
          .rpc_servers = options.rpc_servers,
          .tensor_split = options.tensor_split,
          .log = options.log};
}

Result<std::unique_ptr<LlmEngine>> connect(const EngineOptions& options) {
  const auto model = model_file(options);
  if (!model) return model.error();
  auto tokenizer = load_tokenizer(*model, options.log);
  if (!tokenizer) return tokenizer.error();
  RemoteOptions remote = *options.remote;
  remote.tokenizer = *std::move(tokenizer);
  remote.context_size = options.context_size;
  remote.parallel = parallel_of(options);
  if (!remote.log) remote.log = options.log;
  auto llm = RemoteEngine::connect(std::move(remote));
  if (!llm) return llm.error();
  return std::unique_ptr<LlmEngine>(*std::move(llm));
}

}  // namespace

std::size_t parallel_of(const EngineOptions& options) noexcept {
  constexpr std::size_t kRemote = 16;  // servers make batches of them
  if (options.parallel > 0) return options.parallel;
  return options.remote ? kRemote : 1;
}

Result<void> check(const EngineOptions& options) {
  if (!options.tensor_split.empty() && options.rpc_servers.empty())
    return invalid_argument("tensor-split is for RPC servers: shares of the layers of each");
  if (!options.remote) return {};
  if (!options.loras.empty())
    return for_local_only("a LoRA adapter", "the server applies adapters, under names of models");
  if (options.gpu_layers != 0)
    return for_local_only("gpu-layers", "the server has its own settings");
  if (options.index)
    return for_local_only("an index of candidates", "blocks are the server's own affair");
  if (!options.rpc_servers.empty())
    return for_local_only("an RPC server", "the server has its own machines");
  return {};
}

Result<std::string> model_file(const EngineOptions& options) {
  const auto own = own_model(options.model.empty() ? "default" : options.model);
  if (!own) return checked_model(options.model);
  // A model of rsd's has the project's adapter in it: a caller's own takes its place.
  if (!options.loras.empty()) return base_model(places_of(options));
  return default_model(places_of(options), DamageCheck::kSamples, *own);
}

Result<EngineOptions> with_served_model(EngineOptions options) {
  if (auto sensible = check(options); !sensible) return sensible.error();
  if (!options.remote) return options;
  auto served = RemoteEngine::served_model(*options.remote);
  if (!served) return served.error();
  options.remote->served = *std::move(served);
  return options;
}

Result<PromptTemplates> load_templates(const std::vector<std::string>& files) {
  PromptTemplates templates;
  for (const auto& file : files) {
    auto loaded = PromptTemplate::load(file);
    if (!loaded) return loaded.error();
    templates.set(*std::move(loaded));
  }
  return templates;
}

Result<PromptBuilder> make_prompts(const LlmEngine& llm, PromptTemplates templates,
                                   const CandidateIndex* index) {
  if (const auto layout = llm.prompt_layout()) templates.set_default_layout(*layout);
  if (const auto why = llm.why_no_blocks(); templates.has_blocks() && !why.empty()) {
    return Error(
        ErrorCode::kUnsupported,
        "model " + llm.model_name() + " takes no prompts in blocks (layout: blocks): " + why);
  }
  PromptBuilder prompts(llm.tokenizer(), templates);
  if (!index) return prompts;
  if (auto fits = check_head(*index, prompts); !fits) return fits.error();
  return prompts;
}

RequestLimits::Texts candidate_texts(const EngineOptions& options) {
  if (!options.index) return {};
  return [index = options.index](const std::string& id) { return index->text_of(id); };
}

std::size_t default_block_cache_bytes() {
  constexpr std::size_t kMost = std::size_t{512} << 20U;
  constexpr std::size_t kShare = 8;
  const std::size_t n_memory = describe_machine().memory_bytes;
  return n_memory == 0 ? kMost : std::min(kMost, n_memory / kShare);
}

Result<std::unique_ptr<LlamaEngine>> load_local_engine(const EngineOptions& options) {
  if (auto sensible = check(options); !sensible) return sensible.error();
  if (options.remote) return invalid_argument("this needs a local LLM");
  auto model = model_file(options);
  if (!model) return model.error();
  return LlamaEngine::load(llama_options(options, *std::move(model)));
}

Result<std::unique_ptr<LlmEngine>> load_engine(const EngineOptions& options) {
  if (auto sensible = check(options); !sensible) return sensible.error();
  if (options.remote) return connect(options);
  auto llm = load_local_engine(options);
  if (!llm) return llm.error();
  return std::unique_ptr<LlmEngine>(*std::move(llm));
}

}  // namespace rsd
