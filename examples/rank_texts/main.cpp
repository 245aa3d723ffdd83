// Ranks four passages with the model that is named, or the default one.
#include <rsd/ranker.h>

#include <iostream>

int main(int argc, char** argv) {
  auto ranker = rsd::Ranker::load({.model = argc > 1 ? argv[1] : ""});
  if (!ranker) return std::cerr << ranker.error().message() << '\n', 1;
  const rsd::Request request{.query = "how long to steep green tea",
                             .candidates = {{.text = "Green tea is harvested in spring."},
                                            {.text = "Steep green tea for two minutes."},
                                            {.text = "Coffee is ground before it is brewed."},
                                            {.text = "Tea that steeps for too long is bitter."}}};
  const auto answer = ranker->rank(request, {.budget = 2});
  if (!answer) return std::cerr << answer.error().message() << '\n', 1;
  for (const rsd::ItemId item : answer->ranking.items())
    std::cout << request.candidates[item.slot()].text << '\n';
  std::cout << answer->encodings << " encodings\n";
}
