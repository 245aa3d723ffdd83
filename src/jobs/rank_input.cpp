#include "jobs/rank_input.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <system_error>

namespace rsd {
namespace {

// nullopt for a pipe, and for a JSON array, whose elements aren't lines.
std::optional<std::size_t> count_lines(const std::string& path) {
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (count == 0 && begin != std::string::npos && line[begin] == '[') return std::nullopt;
    if (begin != std::string::npos) ++count;
  }
  return count;
}

}  // namespace

Result<RankInput> RankInput::open(const std::string& requests, const TrecFiles& trec,
                                  const RequestLimits::Texts& texts) {
  if (auto usable = check(trec); !usable) return usable.error();
  if (!requests.empty() && !trec.run.empty())
    return Error(ErrorCode::kInvalidArgument, "--requests and --run exclude each other");
  if (requests.empty() && trec.run.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "--requests is required, or --run, --topics and --corpus");
  }
  if (requests.empty()) return open_trec(trec);
  auto reader = RequestReader::open(requests, {.texts = texts});
  if (!reader) return reader.error();
  RankInput input(*std::move(reader));
  input.n_requests_ = count_lines(requests);
  return input;
}

Result<RankInput> RankInput::open_trec(const TrecFiles& files) {
  auto lines = trec_request_lines(files);
  if (!lines) return lines.error();
  const std::size_t n_requests = lines->n_requests + lines->failures.size();
  RankInput input(RequestReader(std::make_unique<std::istringstream>(std::move(lines->text)),
                                files.run + " as requests"));
  input.n_requests_ = n_requests;
  input.failed_topics_ = std::move(lines->failures);
  input.run_ = files.run;
  return input;
}

std::string RankInput::subject(const std::string& id, std::size_t line) const {
  if (!run_.empty()) return run_ + ": topic \"" + id + "\"";
  return reader_.source() + ":" + std::to_string(line) + ": request \"" + id + "\"";
}

}  // namespace rsd
