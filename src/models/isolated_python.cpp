#include "models/isolated_python.h"

#include <unistd.h>

#include "rsd/core/program.h"

namespace rsd {

Result<void> run_isolated_python(const std::vector<std::string>& arguments,
                                 const std::string& folder) {
  ProgramCall call{
      .program = "python3", .arguments = {"-I"}, .folder = folder, .output = STDERR_FILENO};
  call.arguments.insert(call.arguments.end(), arguments.begin(), arguments.end());
  const auto end = run_program(call);
  if (!end) return end.error();
  if (end->succeeded()) return {};
  std::string whole = call.program;
  for (const auto& argument : call.arguments)
    whole += " " + argument;
  return Error(ErrorCode::kRuntime, "this failed: " + whole);
}

}  // namespace rsd
