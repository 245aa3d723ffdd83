// An answer of vLLM's /v1/completions.
#include "fuzz/remote_answer.h"
#include "fuzz/target.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  static const auto kProtocol = vllm_completions_protocol();
  parse_answer_of(*kProtocol, input);
}

}  // namespace rsd::fuzz
