// "<model>.json", beside a prepared model: what it was made of, how well it ranks, and its
// checksum.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "models/file_seal.h"
#include "rsd/core/result.h"

namespace rsd {

// An object; an empty one where there is no record that can be read.
nlohmann::json read_record(const std::string& model);
// kRuntime: it can't be written.
Result<void> write_record(const std::string& model, const nlohmann::json& record);
// To be called before its model is replaced.
void remove_record(const std::string& model);

// The value of the record's field "output".
nlohmann::json seal_json(const FileSeal& seal);
// nullopt where there is no record of ours, or one without a checksum.
std::optional<FileSeal> recorded_seal(const std::string& model);

}  // namespace rsd
