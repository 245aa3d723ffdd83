// The models that come with rsd, in one table.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "rsd/models/default_model.h"

namespace rsd {

struct OwnModelEntry {
  OwnModel model;
  std::string_view name;  // in place of a file
  std::string_view stem;  // of its files' names: the adapter's with "-lora.gguf"
};

inline constexpr std::array kOwnModels{
    OwnModelEntry{OwnModel::kDefault, "default", "smollm2-135m-rank"},
    OwnModelEntry{OwnModel::kBlocks, "default-blocks", "smollm2-135m-rank-blocks"},
    OwnModelEntry{OwnModel::kFree, "default-free", "smollm2-135m-rank-free"},
};

constexpr const OwnModelEntry& entry_of(OwnModel model) {
  return kOwnModels.at(static_cast<std::size_t>(model));
}

static_assert(entry_of(OwnModel::kDefault).model == OwnModel::kDefault &&
              entry_of(OwnModel::kBlocks).model == OwnModel::kBlocks &&
              entry_of(OwnModel::kFree).model == OwnModel::kFree);

}  // namespace rsd
