// An answer of vLLM's /inference/v1/generate.
#include "fuzz/remote_answer.h"
#include "fuzz/target.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  static const auto kProtocol = vllm_generate_protocol();
  parse_answer_of(*kProtocol, input);
}

}  // namespace rsd::fuzz
