// Other programs: found where nobody who fills the current folder can put one, and run without a
// shell.
#pragma once

#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

// The absolute path of the first executable file of that name in the folders of PATH. Relative and
// empty entries are not searched, nor is the current folder where PATH names it by its full path:
// what lies in a folder that somebody unpacked or cloned is not ours to run. A `name` that is an
// absolute path stands for itself; other names have no slash. kMissingDependency: there is none.
// Reads the environment; cost: a few system calls per folder.
Result<std::string> find_program(const std::string& name);

struct ProgramCall {
  std::string program;                 // as of find_program()
  std::vector<std::string> arguments;  // without the program itself; paths among them are absolute
  // The program's working folder, absolute: never the one that we were started in, since programs
  // look for code of theirs there.
  std::string folder = "/";
  // Descriptors of ours that become its standard input, output and error.
  int input = 0;
  int output = 1;
  int complaints = 2;
};

struct ProgramEnd {
  int exit_status = 0;
  int signal = 0;  // that ended it; 0 = none
  bool succeeded() const noexcept { return exit_status == 0 && signal == 0; }
};

// Runs it with our environment, but with the PATH that find_program() searches, and blocks until it
// ends. kMissingDependency: it was not found; kRuntime: it can't be started, or waited for.
Result<ProgramEnd> run_program(const ProgramCall& call);

}  // namespace rsd
