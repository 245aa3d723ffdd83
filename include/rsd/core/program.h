// Finds and runs other programs: never from the current folder, where anybody may have put one, and
// without a shell.
#pragma once

#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

// The absolute path of the first executable file of that name in the folders of PATH. Relative and
// empty entries are not searched, nor is the current folder, even if PATH names it by its full
// path: a folder that somebody unpacked or cloned may hold programs that must not run. A `name`
// that is an absolute path is returned as it is; other names have no slash. kMissingDependency when
// no such file is found. Reads the environment; cost: a few system calls per folder.
Result<std::string> find_program(const std::string& name);

struct ProgramCall {
  std::string program;                 // name or absolute path, see find_program()
  std::vector<std::string> arguments;  // without the program itself; paths among them are absolute
  // The program's working folder, absolute. Never the one that this process was started in, since
  // programs load code of theirs from there.
  std::string folder = "/";
  // This process's descriptors that become the program's standard input, output and error.
  int input = 0;
  int output = 1;
  int complaints = 2;
};

struct ProgramEnd {
  int exit_status = 0;
  int signal = 0;  // the signal that ended it; 0 = none
  bool succeeded() const noexcept { return exit_status == 0 && signal == 0; }
};

// Runs the program with this process's environment, except that PATH holds only the folders that
// find_program() searches, and blocks until it ends. kMissingDependency when it is not found;
// kRuntime when it can't be started or waited for.
Result<ProgramEnd> run_program(const ProgramCall& call);

}  // namespace rsd
