#include "models/prepared_record.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "json/read_json.h"
#include "rsd/core/file.h"
#include "rsd/models/prepare.h"

namespace rsd {
namespace {

using nlohmann::json;

std::string record_path(const std::string& model) {
  return model + ".json";
}

json part_of(const json& record, const char* key) {
  const auto found = record.find(key);
  return found != record.end() && found->is_object() ? *found : json::object();
}

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

json read_record(const std::string& model) {
  const auto text = read_file(record_path(model));
  const auto record = text ? read_json(*text) : Result<json>(text.error());
  return record && record->is_object() ? *record : json::object();
}

Result<void> write_record(const std::string& model, const json& record) {
  return write_file_atomically(
      record_path(model),
      record.dump(2, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace) + "\n");
}

void remove_record(const std::string& model) {
  std::filesystem::remove(record_path(model));
}

json seal_json(const FileSeal& seal) {
  return json{
      {"size_bytes", seal.size_bytes}, {"sha256", seal.sha256}, {"samples_sha256", seal.samples}};
}

std::optional<FileSeal> recorded_seal(const std::string& model) {
  const json output = part_of(read_record(model), "output");
  const auto size = output.find("size_bytes");
  FileSeal seal{.sha256 = text_in(output, "sha256"), .samples = text_in(output, "samples_sha256")};
  if (size == output.end() || !size->is_number_unsigned() || seal.sha256.empty() ||
      seal.samples.empty())
    return std::nullopt;
  seal.size_bytes = size->get<std::uint64_t>();
  return seal;
}

std::optional<ModelAgreement> recorded_agreement(const std::string& model) {
  const json agreement = part_of(read_record(model), "agreement");
  if (agreement.empty()) return std::nullopt;
  const auto number = [&](const char* key) {
    const auto value = agreement.find(key);
    return value != agreement.end() && value->is_number() ? value->get<double>() : 0.0;
  };
  return ModelAgreement{.requests = static_cast<std::size_t>(number("requests")),
                        .kendall_tau = number("kendall_tau"),
                        .identical = number("identical"),
                        .top_1 = number("top_1")};
}

Result<void> record_agreement(const std::string& model, const ModelAgreement& agreement) {
  json record = read_record(model);
  record["agreement"] = {{"decoder", "ar"},
                         {"requests", agreement.requests},
                         {"kendall_tau", agreement.kendall_tau},
                         {"identical", agreement.identical},
                         {"top_1", agreement.top_1}};
  return write_record(model, record);
}

}  // namespace rsd
