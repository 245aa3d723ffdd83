// Arrays in vLLM's form: .npy files in base64.
#pragma once

#include <string>
#include <vector>

namespace rsd {

using FakeRows = std::vector<std::vector<float>>;  // all of the same size

std::string npy_text(const FakeRows& rows);

// What npy_text, or NumPy, wrote of a matrix of float32 in C order. Throws std::invalid_argument.
FakeRows rows_of_npy_text(const std::string& text);

}  // namespace rsd
