// A matrix in NumPy's format.
#include "fuzz/target.h"
#include "remote/npy.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  const auto matrix = parse_npy(input, 2, 3);
  if (!is_value(matrix)) return;
  require(matrix->n_rows() == 2 && matrix->n_items() == 3, "the matrix has the shape asked for");
}

}  // namespace rsd::fuzz
