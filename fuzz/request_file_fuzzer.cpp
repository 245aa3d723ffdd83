// A request file: lines, or an array over many lines.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <sstream>
#include <string>

#include "fuzz/target.h"
#include "rsd/data/request_reader.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  RequestReader reader(std::make_unique<std::istringstream>(std::string(input)), "file",
                       {.max_line_bytes = 4096, .max_candidates = 50});
  const auto n_lines = static_cast<std::size_t>(std::ranges::count(input, '\n')) + 1;
  std::size_t last_line = 0;
  for (std::size_t n_records = 0;; ++n_records) {
    require(n_records <= input.size(), "each record takes a byte of the file, at least");
    const auto request = reader.next();
    if (is_value(request) && !*request) break;
    require(reader.line() >= last_line && reader.line() <= n_lines,
            "records come line by line, within the file");
    last_line = reader.line();
    if (!request)
      require(request.error().message().starts_with("file:"), "an error names its place");
  }
}

}  // namespace rsd::fuzz
