/* The C interface of rsd: rank the candidates of a request with an LLM.

     rsd_ranker* ranker = NULL;
     rsd_answer* answer = NULL;
     rsd_error* error = rsd_ranker_load(NULL, &ranker);          // the default model
     if (!error) error = rsd_rank(ranker, &request, NULL, &answer);
     if (error) return fprintf(stderr, "%s\n", rsd_error_message(error)), 1;
     for (size_t i = 0; i < rsd_answer_size(answer); ++i) puts(rsd_answer_id(answer, i));

   examples/c/rank_texts.c is a whole program. Bindings of other languages stand on this header.

   Ownership. An object that a function returns, or stores through a pointer, is the caller's: free
   it with the function of its type, exactly once; NULL is allowed there. What accessors return
   belongs to the object that they are called on, and is valid until that is freed. Whatever is
   passed in is copied, and may be freed as soon as the call returns. Answers, errors and jobs don't
   need the ranker that they came from, and may be freed after it.

   Errors. A function that can fail returns NULL for success, else an error object; what it would
   have stored is then NULL. Accessors can't fail: for NULL, and for an index that is out of range,
   they return 0 or NULL. No C++ exception leaves this library, and it never prints or exits. The
   LLM library below it aborts the process on defects of its own; rsd checks what it hands over.

   Structs. Each begins with its size, which the caller sets: {.struct_size = sizeof(rsd_request)}.
   A member that is 0 or NULL has its default. Programs that were compiled with an older header go
   on working: newer members then have their defaults. A struct that is larger than this library
   knows is accepted if the rest of it is zero; otherwise it asks for something that is missing
   here.

   Threads. Any number of threads may share a ranker and call all functions that take it, except for
   rsd_ranker_free, which must be the last call. One thread inside the ranker drives the LLM, which
   ranks one request at a time, or as many as the option `parallel` says, in passes that they share:
   the others wait. Answers and errors are immutable. A job may be used by several threads, but must
   be freed by one. After fork(), the child must not use the rankers of its parent.

   Callbacks are called while a function of this library runs. They must return normally (no
   longjmp, no exception), and must not free the ranker.

   Limits. 10,000 candidates a request, 64 MiB a text, 2^31 - 1 for any other number. Text is UTF-8.

   Not detected: a pointer to something that was freed or never was such an object, a text without
   its end, an array that is shorter than its count. These are undefined, as everywhere in C. */
#ifndef RSD_H
#define RSD_H

#include <stddef.h>

#if defined(__GNUC__)
#define RSD_API __attribute__((visibility("default")))
#define RSD_MUST_CHECK __attribute__((warn_unused_result))
#else
#define RSD_API
#define RSD_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0", of the library that is loaded. Static. */
RSD_API const char* rsd_version(void);

/* ---- Errors ---------------------------------------------------------------------------------- */

typedef struct rsd_error rsd_error;

typedef enum rsd_code {
  RSD_OK = 0,
  RSD_INVALID_ARGUMENT = 1,   /* NULL, a struct's size, an option: the message has name and value */
  RSD_MISSING_DEPENDENCY = 2, /* something that has to be installed first */
  RSD_NOT_FOUND = 3,     /* a file or a model that isn't there; the message says how to get it */
  RSD_INVALID_INPUT = 4, /* a malformed request or file */
  RSD_TOO_LONG = 5,      /* a request that can't fit the context even with its texts cut */
  RSD_UNSUPPORTED = 6,   /* the model can't do what is asked */
  RSD_DEADLINE_EXCEEDED = 7,
  RSD_RUNTIME = 8,   /* the LLM or the operating system failed */
  RSD_CANCELLED = 9, /* by rsd_job_cancel, a callback, or rsd_ranker_free */
  RSD_OUT_OF_MEMORY = 10,
  RSD_INTERNAL = 11 /* a defect of rsd: please report the message */
} rsd_code;

/* RSD_OK for NULL. */
RSD_API rsd_code rsd_error_code(const rsd_error* error);
/* One sentence, UTF-8; "" for NULL. */
RSD_API const char* rsd_error_message(const rsd_error* error);
/* The name of an rsd_code, such as "invalid_argument"; "unknown" for others. Static. */
RSD_API const char* rsd_code_name(int code);
RSD_API void rsd_error_free(rsd_error* error);

/* ---- Rankers --------------------------------------------------------------------------------- */

typedef struct rsd_ranker rsd_ranker;

typedef enum rsd_log_level {
  RSD_LOG_DEBUG = 0,
  RSD_LOG_INFO = 1,
  RSD_LOG_WARNING = 2,
  RSD_LOG_ERROR = 3
} rsd_log_level;

/* `line` has no line end, and is valid during the call. Called by any thread, one at a time. */
typedef void rsd_log_function(rsd_log_level level, const char* line, void* data);

typedef struct rsd_engine_options {
  size_t struct_size;
  /* A GGUF file, or "default" or "default-blocks": the models that `rsd model fetch` has fetched.
     Beside remote_urls: the GGUF file or tokenizer.json of the model that the servers run. */
  const char* model;
  /* The learned policy's file; default: the project's own agent, if it is found. */
  const char* agent;
  /* The policy of requests that name none; default: the agent, or "replay" without one. */
  const char* policy;
  size_t n_loras; /* adapters, each a GGUF file, with scale 1 if lora_scales is NULL */
  const char* const* loras;
  const float* lora_scales;
  size_t n_prompt_templates; /* YAML files, in place of the built-in prompts */
  const char* const* prompt_templates;
  size_t context_tokens; /* limit for prompt and ranking; default: the model's, at most 8192 */
  size_t parallel;       /* prompts that go through the LLM together; default 1, remote 16 */
  int threads;           /* default: one per core */
  int gpu_layers;        /* in builds with GPU support; -1 = all */
  int prompt_cache_mib;  /* memory for encoded prompts; default 16, -1 = none */
  int block_cache_mib;   /* for candidates of prompts in blocks; -1 = none */
  /* Not 0: logits don't depend on earlier requests, as only whole prompts are reused. */
  int reuse_whole_prompts_only;
  /* The longest a pass of the LLM is expected to take; longer work is done in pieces, between which
     requests of other threads have their turn. Default: no limit. Recommended (200) where threads
     share the ranker and have deadlines; pieces round differently from a whole pass. */
  double longest_pass_ms;
  /* The LLM runs on these servers, "http://host:port"; remote_server is "vllm" or "sglang". */
  size_t n_remote_urls;
  const char* const* remote_urls;
  const char* remote_server;
  const char* remote_model;   /* the server's name for it; default: the first that it lists */
  const char* remote_api_key; /* sent over https, or to this machine */
  const char* models_folder;  /* with the project's adapters and agent; default: RSD_MODELS_DIR */
  const char* cache_folder;   /* absolute, of fetched models; default: ~/.cache/rsd */
  /* The destination of log lines, until the ranker is freed. The LLM library has one for the whole
     process: it goes to the ranker that was loaded last. Default: nowhere. */
  rsd_log_function* log;
  void* log_data;
} rsd_engine_options;

/* Loads the LLM and the agent. `options` may be NULL. Cost: reads the model, from a tenth of a
   second to many; memory for its weights. RSD_INVALID_ARGUMENT, RSD_NOT_FOUND (no such file, or the
   default model was not fetched), RSD_INVALID_INPUT (not a GGUF file, damaged), RSD_UNSUPPORTED (an
   embedding model), RSD_MISSING_DEPENDENCY (this CPU lacks instructions), RSD_RUNTIME. */
RSD_API RSD_MUST_CHECK rsd_error* rsd_ranker_load(const rsd_engine_options* options,
                                                  rsd_ranker** ranker);
/* Ends all of its jobs with RSD_CANCELLED, and waits for the pass that is running. */
RSD_API void rsd_ranker_free(rsd_ranker* ranker);

typedef struct rsd_ranker_info {
  size_t struct_size;     /* set by the caller; the other members by rsd_ranker_get_info */
  const char* model_name; /* a file's name without folder and ending; valid as long as the ranker */
  size_t context_tokens;
  size_t parallel;
  size_t max_passages;        /* candidates of one prompt; longer lists are ranked in windows */
  size_t max_recommendations; /* the same for requests with a history */
  int reads_relevance;        /* rsd_answer_info.relevance_is_probability, for passages */
} rsd_ranker_info;

/* RSD_INVALID_ARGUMENT. No cost. */
RSD_API RSD_MUST_CHECK rsd_error* rsd_ranker_get_info(rsd_ranker* ranker, rsd_ranker_info* info);

/* ---- Requests -------------------------------------------------------------------------------- */

/* A query or a history, and K candidates in the first stage's order. */
typedef struct rsd_request {
  size_t struct_size;
  const char* query; /* ranks passages */
  size_t n_history;  /* ranks recommendations: what the user liked, oldest first; without query */
  const char* const* history;
  size_t n_candidates;      /* K, 1 to 10,000 */
  const char* const* texts; /* [K]; blank ones are ranked last, at least one must not be */
  /* [K] bytes of each text; NULL: each ends with its NUL. */
  const size_t* text_bytes;
  const char* const* ids; /* [K] unique; NULL: "0", "1", … */
  /* [K] An order of the candidates that is likely to be right, such as an earlier answer's
     rsd_answer_order: where the decoding begins. NULL: none. */
  const size_t* previous;
} rsd_request;

typedef enum rsd_long_texts { RSD_LONG_TEXTS_CUT = 0, RSD_LONG_TEXTS_REFUSE = 1 } rsd_long_texts;

typedef struct rsd_rank_options {
  size_t struct_size;
  const char* decoder; /* "rsd", "ar", "std", "sd" or "exact"; default rsd */
  size_t budget;       /* LLM encodings for the list, prefill included; default 3 a prompt (rsd) */
  double deadline_ms;  /* after it the best ranking so far is the answer; default none */
  size_t top_n;        /* stop as soon as so many leading positions are known; default all */
  const char* draft;  /* "first-token" or "input"; default: the better one for decoder and budget */
  const char* policy; /* of rsd and exact, by name; default: the ranker's */
  size_t max_text_tokens; /* longer texts are cut to so many; default 4096 */
  int long_texts; /* rsd_long_texts; RSD_LONG_TEXTS_REFUSE: RSD_TOO_LONG in place of cutting */
  /* Lists that are longer than one prompt (docs/long-lists.md): "sliding", "top-down",
     "tournament", "calibrated" or "relevance"; default: chosen by rsd. */
  const char* window_method;
  size_t window_size;   /* default 20 */
  size_t window_stride; /* of sliding; default half the size */
  /* Not 0: the answer has its rounds (rsd_answer_n_rounds). Memory: O(K^3) floats at most. */
  int keep_rounds;
  /* For LLMs that read relevance (rsd_ranker_info): only candidates that are relevant with this
     probability or a higher one, 0 to 1, are listed (rsd_answer_listed). All are ranked. */
  double min_score;
} rsd_rank_options;

/* ---- Answers --------------------------------------------------------------------------------- */

/* A ranking of the request's K candidates, and how it was reached. */
typedef struct rsd_answer rsd_answer;

/* K. */
RSD_API size_t rsd_answer_size(const rsd_answer* answer);
/* [K] candidates by their index in the request, best first. */
RSD_API const size_t* rsd_answer_order(const rsd_answer* answer);
/* The id of the candidate at `position`, 0 = best. */
RSD_API const char* rsd_answer_id(const rsd_answer* answer, size_t position);
/* [K] by position, in (0, 1]: strictly decreasing, or, with relevance_is_probability, each one the
   probability that the candidate is relevant. NULL where there is none, as of lists in windows
   whose LLM doesn't read relevance, and of answers without the LLM. */
RSD_API const double* rsd_answer_relevance(const rsd_answer* answer);
/* [K] the same as logarithms of probabilities, or as log-odds. */
RSD_API const double* rsd_answer_raw_relevance(const rsd_answer* answer);

/* The positions whose candidates min_score leaves, ascending; all of them without it, and where the
   deadline left no time to read relevance. */
RSD_API size_t rsd_answer_n_listed(const rsd_answer* answer);
RSD_API const size_t* rsd_answer_listed(const rsd_answer* answer); /* [rsd_answer_n_listed] */

typedef struct rsd_answer_info {
  size_t struct_size; /* set by the caller; the other members by rsd_answer_get_info */
  const char* decoder;
  size_t budget;               /* the most encodings allowed; 0 = no limit */
  size_t encodings;            /* LLM passes, prefills included */
  size_t verified_prefix;      /* leading positions known to equal the target ranking's */
  size_t prompt_tokens;        /* of the prompts, reused ones included */
  size_t tokens_encoded;       /* of prompts and proposals */
  size_t tokens_reused;        /* of the prompts: known from earlier requests */
  size_t truncated_candidates; /* texts that were cut to fit */
  int truncated_query;         /* the query was cut, or the history */
  int deadline_hit;            /* the deadline ended it */
  int relevance_is_probability;
  /* 1: relevance is a probability, and none reaches 0.5. 0: some does. -1: not known. */
  int none_relevant;
  double prefill_ms, decode_ms, agent_ms;
  double total_ms;  /* from the call to the answer, waiting for other requests included */
  size_t n_windows; /* 0: the list was one prompt */
  size_t window_size;
  size_t confirmed_prefix; /* of a list in windows: leading positions that a window has verified */
  const char* window_method; /* NULL if n_windows is 0 */
} rsd_answer_info;

/* RSD_INVALID_ARGUMENT. Fills as many members as struct_size has room for. */
RSD_API RSD_MUST_CHECK rsd_error* rsd_answer_get_info(const rsd_answer* answer,
                                                      rsd_answer_info* info);

/* One encoding of one prompt: what was proposed to the LLM, and how far it agreed. */
typedef struct rsd_round {
  size_t struct_size;     /* set by the caller; the other members by rsd_answer_get_round */
  size_t window;          /* the window's number, from 1; 0: the list is one prompt */
  size_t n_items;         /* candidates in the prompt */
  const size_t* items;    /* [n_items] candidates by index, in the prompt's order */
  size_t n_proposed;      /* 0: the prompt alone */
  const size_t* proposal; /* [n_proposed] candidates by index */
  size_t accepted;        /* leading positions of the proposal that are the LLM's own choice */
  size_t known;           /* leading positions that are known after the round */
  size_t n_rows;          /* rows of logits, by position (rsd_answer_round_row) */
  double ms; /* the time of the encoding, with the prefill's in the first; 0 = unknown */
} rsd_round;

/* Rounds, those of all windows in their order. 0 without keep_rounds. */
RSD_API size_t rsd_answer_n_rounds(const rsd_answer* answer);
/* RSD_INVALID_ARGUMENT: no round of that number, from 0. */
RSD_API RSD_MUST_CHECK rsd_error* rsd_answer_get_round(const rsd_answer* answer, size_t round,
                                                       rsd_round* out);
/* [n_items] The logits at position `row` of the proposal, in the order of rsd_round.items. */
RSD_API const float* rsd_answer_round_row(const rsd_answer* answer, size_t round, size_t row);
RSD_API void rsd_answer_free(rsd_answer* answer);

/* ---- Ranking --------------------------------------------------------------------------------- */

/* Ranks one request. `options` may be NULL. Cost: at most options.budget LLM encodings for a list
   in one prompt. The first request with a deadline, if it finds the ranker idle, also measures how
   long passes take, before its time begins. A deadline is no error. RSD_INVALID_ARGUMENT,
   RSD_INVALID_INPUT (no text, neither query nor history, two equal ids, not UTF-8), RSD_TOO_LONG,
   RSD_UNSUPPORTED, RSD_RUNTIME, RSD_CANCELLED. */
RSD_API RSD_MUST_CHECK rsd_error* rsd_rank(rsd_ranker* ranker, const rsd_request* request,
                                           const rsd_rank_options* options, rsd_answer** answer);

/* `done` of `total` requests have ended. Called on the thread that called rsd_rank_many, before the
   first and after each. Returns 0 to go on; anything else cancels the rest. */
typedef int rsd_progress_function(size_t done, size_t total, void* data);

typedef struct rsd_batch {
  size_t struct_size;
  size_t n_requests;
  const rsd_request* const* requests; /* [n_requests] */
  /* [n_requests] each, written by rsd_rank_many: for each request an answer and NULL, or NULL and
     an error. The caller frees them. */
  rsd_answer** answers;
  rsd_error** errors;
  rsd_progress_function* on_progress; /* may be NULL */
  void* progress_data;
} rsd_batch;

/* Ranks several requests, as many at a time as the ranker has places, in their order. A deadline is
   each request's own, from when it has a place. An error of one request is in
   batch->errors and concerns that request alone; cancelled ones have RSD_CANCELLED. Returns an
   error, and writes nothing, only for the call itself: RSD_INVALID_ARGUMENT. */
RSD_API RSD_MUST_CHECK rsd_error* rsd_rank_many(rsd_ranker* ranker, const rsd_batch* batch,
                                                const rsd_rank_options* options);

/* ---- Jobs: ranking without waiting ----------------------------------------------------------- */

/* A request that was handed in. */
typedef struct rsd_job rsd_job;

/* Checks the request and plans its prompts, which takes some milliseconds, and hands it in. Errors
   as rsd_rank, those of the LLM excepted. */
RSD_API RSD_MUST_CHECK rsd_error* rsd_submit(rsd_ranker* ranker, const rsd_request* request,
                                             const rsd_rank_options* options, rsd_job** job);
/* Waits until the job has ended, at most `timeout_ms`: 0 returns at once, below 0 waits without
   limit (NaN counts as 0). Returns 1 if it has ended, else 0; 1 for NULL. */
RSD_API int rsd_job_wait(rsd_job* job, double timeout_ms);
/* Ends the job as RSD_CANCELLED at once, from any thread; no effect on one that has ended. A pass
   of the LLM that is running goes on to its end before other requests have their turn. */
RSD_API void rsd_job_cancel(rsd_job* job);
/* Waits for the end, and gives the answer away: of further calls the result is
   RSD_INVALID_ARGUMENT. Errors as rsd_rank. */
RSD_API RSD_MUST_CHECK rsd_error* rsd_job_take(rsd_job* job, rsd_answer** answer);
/* Cancels it if it has not ended. */
RSD_API void rsd_job_free(rsd_job* job);

#ifdef __cplusplus
}
#endif
#endif
