// How the LLM's threads wait for each other.
#pragma once

namespace rsd::cli {

// Starts this program again, once, with GOMP_SPINCOUNT in its environment, unless the user has set
// that or OMP_WAIT_POLICY. GCC's OpenMP lets a thread that waits for the others spin for
// milliseconds, hundreds of times a pass. Beside other busy processes it takes the core from the
// thread that it waits for: an encoding takes three times as long, instead of twice
// (docs/performance.md). It reads its settings before main, hence the new start. Returns if
// nothing is to be done or the start fails.
void wait_without_long_spinning(char** argv);

}  // namespace rsd::cli
