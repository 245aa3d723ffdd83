// A body in chunks, which comes in pieces of any size.
#include <string>

#include "fuzz/target.h"
#include "server/http/chunked_body.h"

namespace rsd::fuzz {
namespace {

using server::ChunkedBody;

struct Taken {
  ChunkedBody body;
  std::string out;
  std::size_t n_taken = 0;
};

Taken taken_in_pieces(std::string_view bytes, std::size_t n_piece) {
  Taken taken;
  while (taken.n_taken < bytes.size()) {
    const auto piece = bytes.substr(taken.n_taken, n_piece);
    const std::size_t n = taken.body.take(piece, taken.out);
    taken.n_taken += n;
    if (n < piece.size()) break;
  }
  return taken;
}

}  // namespace

void take_input(std::string_view input) {
  const Taken whole = taken_in_pieces(input, input.size());
  const Taken bytes = taken_in_pieces(input, 1);
  require(whole.out == bytes.out && whole.n_taken == bytes.n_taken &&
              whole.body.is_whole() == bytes.body.is_whole() &&
              whole.body.is_broken() == bytes.body.is_broken(),
          "a body doesn't depend on the pieces in which it comes");
  require(whole.n_taken == input.size() || whole.body.is_whole() || whole.body.is_broken(),
          "what is left over comes after the body");
  if (!whole.body.is_whole()) return;
  const Taken again = taken_in_pieces(whole.out, whole.out.size());
  require(again.body.is_whole() && again.out == whole.out && again.n_taken == whole.out.size(),
          "the plain form is a whole body in plain form");
}

}  // namespace rsd::fuzz
