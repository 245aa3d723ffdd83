// Where the cache and the project's own files are.
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "rsd/models/default_model.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;

const char* adapter_file(OwnModel model) {
  return model == OwnModel::kBlocks ? "smollm2-135m-rank-blocks-lora.gguf"
                                    : "smollm2-135m-rank-lora.gguf";
}
constexpr const char* kAgentFile = "agent.gguf";

std::vector<std::string> models_folders(const ModelPlaces& places) {
  if (!places.models_folders.empty()) return places.models_folders;
  if (const char* named = std::getenv("RSD_MODELS_DIR"); named && *named) return {named};
  return {RSD_MODELS_FOLDERS};
}

std::optional<std::string> in_models_folders(const char* name, const ModelPlaces& places) {
  for (const std::string& folder : models_folders(places)) {
    const fs::path path = fs::path(folder) / name;
    std::error_code failure;
    if (fs::exists(path, failure)) return path.string();
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> cache_folder(const ModelPlaces& places) {
  if (!places.cache_folder.empty()) return places.cache_folder;
  // Relative values are to be ignored (XDG Base Directory Specification).
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg == '/') {
    return (fs::path(xdg) / "rsd").string();
  }
  // A relative one would have us trust what lies in the current folder.
  if (const char* home = std::getenv("HOME"); home && *home == '/') {
    return (fs::path(home) / ".cache" / "rsd").string();
  }
  return Error(ErrorCode::kNotFound,
               "no folder for the cache: neither XDG_CACHE_HOME nor HOME is an absolute path");
}

std::optional<OwnModel> own_model(std::string_view name) noexcept {
  if (name == "default") return OwnModel::kDefault;
  if (name == "default-blocks") return OwnModel::kBlocks;
  return std::nullopt;
}

Result<std::string> project_adapter(const ModelPlaces& places, OwnModel model) {
  const char* const file = adapter_file(model);
  if (auto path = in_models_folders(file, places)) return *std::move(path);
  std::string tried;
  for (const std::string& folder : models_folders(places))
    tried += (tried.empty() ? "" : ", ") + folder;
  return Error(ErrorCode::kNotFound, std::string("the default model's adapter ") + file +
                                         " is not in " + tried +
                                         "; set RSD_MODELS_DIR to its folder");
}

std::optional<std::string> project_agent(const ModelPlaces& places) {
  return in_models_folders(kAgentFile, places);
}

std::vector<std::string> example_requests(const ModelPlaces& places) {
  std::vector<std::string> found;
  const auto adapter = project_adapter(places);
  if (!adapter) return found;
  const fs::path folder = fs::path(*adapter).parent_path().parent_path() / "examples";
  for (const char* name : {"passages.jsonl", "recommendations.jsonl"}) {
    std::error_code failure;
    if (fs::exists(folder / name, failure)) found.push_back((folder / name).string());
  }
  return found;
}

}  // namespace rsd
