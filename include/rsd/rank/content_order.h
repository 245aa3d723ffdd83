// An order of candidates that depends on their texts alone.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/rank/request.h"

namespace rsd {

// FNV-1a of the text's bytes, mixed so that no order of the texts (by length, by alphabet) shows in
// it. The same on every machine and in every version: tools/finetune/prompt.py has it, too.
std::uint64_t text_digest(std::string_view text) noexcept;

// The candidates by the digest of their texts: the same for every order in which they come. Those
// of equal texts keep the request's order.
std::vector<ItemId> content_order(const Request& request);

}  // namespace rsd
