// rsd as a library, with an LLM: ranks four passages with the GGUF model that is named.
//
// Model, prompt, decoding: an rsd::LlamaEngine has the tokenizer that an rsd::PromptBuilder needs,
// and opens a scorer for the prompt; an rsd::Decoding says what to ask of the scorer.
#include <rsd/decode/decoding.h>
#include <rsd/decode/policies.h>
#include <rsd/decode/run.h>
#include <rsd/llm/llama_engine.h>
#include <rsd/prompt/prompt_builder.h>
#include <rsd/prompt/prompt_template.h>
#include <rsd/rank/request.h>

#include <iostream>
#include <string>
#include <utility>

namespace {

rsd::Request tea_request() {
  rsd::Request request;
  request.id = "tea";
  request.query = "how long to steep green tea";
  request.candidates = {
      {.id = "harvest", .text = "Green tea is harvested in spring."},
      {.id = "two-minutes", .text = "Steep green tea for two minutes."},
      {.id = "coffee", .text = "Coffee is ground before it is brewed."},
      {.id = "bitter", .text = "Tea that steeps for too long is bitter."},
  };
  return request;
}

rsd::Result<rsd::Outcome> rank(const rsd::Request& request, const std::string& model_path) {
  rsd::LlamaOptions llama;
  llama.model_path = model_path;
  auto engine = rsd::LlamaEngine::load(llama);
  if (!engine) return engine.error();

  const rsd::PromptBuilder prompts((*engine)->tokenizer(), rsd::PromptTemplates());
  auto prompt = prompts.build(request, (*engine)->info().context_size);
  if (!prompt) return prompt.error();
  auto scorer = (*engine)->open(*std::move(prompt));
  if (!scorer) return scorer.error();

  rsd::DecodingOptions options;
  options.decoder = rsd::DecoderKind::kRsd;
  options.budget = 2;
  auto policy = rsd::policy_by_name(rsd::kDefaultPolicy);
  if (!policy) return policy.error();
  options.policy = *policy;
  auto decoding = rsd::Decoding::create(request.candidates.size(), options);
  if (!decoding) return decoding.error();
  return rsd::run(*decoding, **scorer);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: embed_llm MODEL.gguf\n";
    return 2;
  }
  const rsd::Request request = tea_request();
  const auto outcome = rank(request, argv[1]);
  if (!outcome) {
    std::cerr << outcome.error().message() << '\n';
    return 1;
  }
  std::cout << "ranking:";
  for (const rsd::ItemId item : outcome->ranking.items())
    std::cout << ' ' << request.candidates[item.slot()].id;
  std::cout << "\nencodings: " << outcome->encodings << '\n';
}
