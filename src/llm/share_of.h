// How the time of a pass is divided among those that share it.
#pragma once

#include <cstddef>

namespace rsd {

// In proportion to the tokens; in equal parts where none has any.
inline double share_of(std::size_t n_tokens, std::size_t n_all_tokens, std::size_t n_sharing) {
  return n_all_tokens == 0 ? 1.0 / static_cast<double>(n_sharing)
                           : static_cast<double>(n_tokens) / static_cast<double>(n_all_tokens);
}

}  // namespace rsd
