/* Ranks four passages with the model that is named, or the default one:
     cc rank_texts.c $(pkg-config --cflags --libs rsd) -o rank_texts && ./rank_texts [MODEL.gguf] */
#include <rsd.h>
#include <stdio.h>

static int report(rsd_error* error) {
  fprintf(stderr, "%s: %s\n", rsd_code_name(rsd_error_code(error)), rsd_error_message(error));
  rsd_error_free(error);
  return 1;
}

static int print(const rsd_answer* answer, const char* const* texts) {
  const size_t* order = rsd_answer_order(answer);
  const double* relevance = rsd_answer_relevance(answer);
  for (size_t i = 0; i < rsd_answer_size(answer); ++i)
    printf("%.4f  %s\n", relevance ? relevance[i] : 0, texts[order[i]]);
  rsd_answer_info info = {.struct_size = sizeof info};
  rsd_error* error = rsd_answer_get_info(answer, &info);
  if (error) return report(error);
  printf("%zu encodings, the first %zu places are verified\n", info.encodings,
         info.verified_prefix);
  return 0;
}

int main(int argc, char** argv) {
  const rsd_engine_options engine = {.struct_size = sizeof engine,
                                     .model = argc > 1 ? argv[1] : NULL};
  rsd_ranker* ranker;
  rsd_error* error = rsd_ranker_load(&engine, &ranker);
  if (error) return report(error);

  const char* const texts[] = {
      "Green tea is harvested in spring.", "Steep green tea for two minutes.",
      "Coffee is ground before it is brewed.", "Tea that steeps for too long is bitter."};
  const rsd_request request = {.struct_size = sizeof request,
                               .query = "how long to steep green tea",
                               .n_candidates = sizeof texts / sizeof texts[0],
                               .texts = texts};
  const rsd_rank_options options = {.struct_size = sizeof options, .budget = 2};
  rsd_answer* answer;
  error = rsd_rank(ranker, &request, &options, &answer);
  const int status = error ? report(error) : print(answer, texts);
  rsd_answer_free(answer);
  rsd_ranker_free(ranker);
  return status;
}
