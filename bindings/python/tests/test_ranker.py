"""Ranker on a tiny model, whose weights are random: RSD_LIBRARY names the librsd.so."""

import asyncio
import doctest
import gc
import logging
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import threading
import time
import unittest
import warnings

import rsd
import rsd._answer
import rsd._ranker

MODELS = pathlib.Path(__file__).resolve().parents[3] / "tests/models"
TINY = MODELS / "tiny-bpe.gguf"
DOCS = ["Green tea is harvested in spring.", "Steep green tea for two minutes.",
        "Coffee is ground before it is brewed.", "Tea that steeps for too long is bitter."]
QUERY = "how long to steep green tea"
# Takes thousands of passes: what a test cancels.
ENDLESS = {"docs": [f"text {i}" for i in range(3000)],
           "options": {"decoder": "exact", "window_method": "sliding", "window_size": 4,
                       "window_stride": 1}}


class OnATinyModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ranker = rsd.Ranker(TINY, threads=1, policy="replay")

    @classmethod
    def tearDownClass(cls):
        cls.ranker.close()


class Answers(OnATinyModel):
    def test_is_a_sequence_of_results_best_first(self):
        answer = self.ranker.rank(QUERY, DOCS, budget=2)
        self.assertEqual(len(answer), 4)
        self.assertEqual(sorted(answer.order), [0, 1, 2, 3])
        self.assertEqual([result.text for result in answer], [DOCS[i] for i in answer.order])
        self.assertEqual([result.score for result in answer], [1.0, 0.75, 0.5, 0.25])
        self.assertEqual(answer[-1].index, answer.order[-1])
        self.assertEqual(len(answer[:2]), 2)
        relevance = [result.relevance for result in answer]
        self.assertEqual(relevance, sorted(relevance, reverse=True))
        self.assertEqual((answer.encodings, answer.budget, answer.decoder), (2, 2, "rsd"))
        self.assertGreater(answer.verified_prefix, 0)
        self.assertGreater(answer.prompt_tokens, 20)
        self.assertIsNone(answer.none_relevant)
        self.assertIsNone(answer.windows)

    def test_min_score_leaves_out_what_is_less_probably_relevant(self):
        with self.assertRaisesRegex(rsd.RsdError, "LLMs that read relevance"):
            self.ranker.rank(QUERY, DOCS, min_score=0.5)
        with rsd.Ranker(MODELS / "tiny-relevance.gguf", threads=1, policy="replay") as reading:
            self.assertTrue(reading.info["reads_relevance"])
            whole = reading.rank(QUERY, DOCS)
            limit = sorted(result.relevance for result in whole)[2]
            answer = reading.rank(QUERY, DOCS, min_score=limit)
        self.assertEqual(list(answer), [result for result in whole if result.relevance >= limit])
        self.assertEqual((len(answer), answer.left_out), (2, 2))

    def test_ids_are_the_documents_own_or_their_places(self):
        self.assertEqual(set(self.ranker.rank(QUERY, DOCS).ids), {"0", "1", "2", "3"})
        answer = self.ranker.rank(QUERY, DOCS, ids=["a", "b", "c", "d"])
        self.assertEqual(answer.ids, ["abcd"[i] for i in answer.order])
        answer = self.ranker.rank(QUERY, [{"id": 7, "text": DOCS[0]}, {"text": DOCS[1]}])
        self.assertEqual({result.id: result.text for result in answer}, {"7": DOCS[0], "1": DOCS[1]})

    def test_a_history_is_ranked_without_a_query(self):
        liked = self.ranker.rank(None, DOCS, history=["Alien", "Solaris"])
        other = self.ranker.rank(None, DOCS, history=["Alien", "Solaris", "Stalker"])
        self.assertEqual(sorted(liked.order), [0, 1, 2, 3])
        self.assertGreater(other.prompt_tokens, liked.prompt_tokens)

    def test_rounds_are_there_when_asked(self):
        self.assertEqual(self.ranker.rank(QUERY, DOCS).rounds, ())
        answer = self.ranker.rank(QUERY, DOCS, budget=2, keep_rounds=True)
        self.assertEqual(len(answer.rounds), answer.encodings)
        first = answer.rounds[0]
        self.assertEqual(sorted(first.items), [0, 1, 2, 3])
        best = max(range(4), key=first.logits[0].__getitem__)
        self.assertEqual(first.items[best], answer.order[0])
        self.assertEqual(answer.rounds[-1].known, answer.verified_prefix)

    def test_long_lists_name_their_windows(self):
        answer = self.ranker.rank(QUERY, [f"text {i}" for i in range(30)], window_method="sliding",
                                  window_size=10, window_stride=5)
        self.assertEqual(answer.windows.method, "sliding")
        self.assertEqual((answer.windows.size, answer.windows.count), (10, 5))
        self.assertEqual(sorted(answer.order), list(range(30)))

    def test_a_previous_order_is_verified_first(self):
        first = self.ranker.rank(QUERY, DOCS, decoder="exact")
        again = self.ranker.rank(QUERY, DOCS, budget=1, previous=first.order)
        self.assertEqual((again.order, again.verified_prefix), (first.order, 4))

    def test_texts_may_be_any_unicode(self):
        answer = self.ranker.rank("茶\u00a0?", ["\U0001f375 tea", "a\0b", "ｔｅａ"])
        self.assertEqual(sorted(answer.order), [0, 1, 2])

    def test_becomes_a_table(self):
        try:
            import pandas  # noqa: F401
        except ImportError:
            with self.assertRaises(ImportError):
                self.ranker.rank(QUERY, DOCS).to_pandas()
            return
        answer = self.ranker.rank(QUERY, DOCS)
        table = answer.to_pandas()
        self.assertEqual(list(table["rank"]), [1, 2, 3, 4])
        self.assertEqual(list(table["index"]), answer.order)

    def test_relevance_may_be_a_probability(self):
        with rsd.Ranker(MODELS / "tiny-relevance.gguf", threads=1) as ranker:
            self.assertTrue(ranker.info["reads_relevance"])
            answer = ranker.rank(QUERY, DOCS)
        self.assertTrue(answer.relevance_is_probability)
        self.assertEqual(answer.none_relevant, max(result.relevance for result in answer) < 0.5)


class Errors(OnATinyModel):
    def code_of(self, *arguments, **options):
        with self.assertRaises(rsd.RsdError) as caught:
            self.ranker.rank(*arguments, **options)
        return caught.exception.code

    def test_name_what_is_wrong(self):
        with self.assertRaisesRegex(rsd.InvalidRequest, "decoder"):
            self.ranker.rank(QUERY, DOCS, decoder="best")
        with self.assertRaisesRegex(ValueError, "budget is 0; it must be 1 to"):
            self.ranker.rank(QUERY, DOCS, budget=0)
        with self.assertRaisesRegex(ValueError, "deadline_ms is nan"):
            self.ranker.rank(QUERY, DOCS, deadline_ms=float("nan"))
        with self.assertRaisesRegex(ValueError, "3 ids for 4 docs"):
            self.ranker.rank(QUERY, DOCS, ids=["a", "b", "c"])
        with self.assertRaisesRegex(ValueError, "long_texts"):
            self.ranker.rank(QUERY, DOCS, long_texts="keep")

    def test_codes_are_those_of_the_library(self):
        self.assertEqual(self.code_of(None, DOCS), "invalid_input")
        self.assertEqual(self.code_of(QUERY, []), "invalid_argument")
        self.assertEqual(self.code_of(QUERY, ["", " "]), "invalid_input")
        self.assertEqual(self.code_of(QUERY, DOCS, ids=["a", "a", "b", "c"]), "invalid_input")
        self.assertEqual(self.code_of("\ud800", DOCS), "invalid_input")
        self.assertEqual(self.code_of(QUERY, DOCS, previous=[0, 1, 2, -1]), "invalid_argument")
        self.assertEqual(self.code_of(QUERY, ["a " * 500, "b"], max_text_tokens=3,
                                      long_texts="refuse"), "too_long")

    def test_wrong_types_are_type_errors(self):
        for docs in ("one text", None, [1, 2], [{"id": "a"}], [None]):
            with self.assertRaises(TypeError):
                self.ranker.rank(QUERY, docs)
        with self.assertRaises(TypeError):
            self.ranker.rank(QUERY, DOCS, budget="3")
        with self.assertRaises(TypeError):
            self.ranker.rank(QUERY, DOCS, history="Alien")
        with self.assertRaises(TypeError):
            self.ranker.rank(QUERY, DOCS, depth=3)

    def test_a_missing_model_is_a_missing_file(self):
        with self.assertRaises(FileNotFoundError) as caught:
            rsd.Ranker("no/such/model.gguf")
        self.assertEqual(caught.exception.code, "not_found")
        self.assertIn("no/such/model.gguf", str(caught.exception))

    def test_a_missing_default_model_says_how_to_get_it(self):
        script = "import rsd\ntry: rsd.Ranker()\nexcept rsd.ModelNotFound as e: print(e)"
        environment = {**os.environ, "XDG_CACHE_HOME": "/nonexistent", "RSD_MODEL": ""}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True,
                              text=True, check=True)
        self.assertIn("rsd model fetch", done.stdout)

    def test_pass_from_process_to_process(self):
        error = pickle.loads(pickle.dumps(rsd.InvalidRequest("too much", "too_long")))
        self.assertEqual((type(error), error.code, str(error)),
                         (rsd.InvalidRequest, "too_long", "too much"))


class Many(OnATinyModel):
    def test_answers_are_in_the_order_of_the_requests(self):
        requests = [(f"query {i}", [f"text {j}" for j in range(2 + i % 5)]) for i in range(20)]
        answers = self.ranker.rank_many(requests, budget=2)
        self.assertEqual([len(answer) for answer in answers], [2 + i % 5 for i in range(20)])
        self.assertEqual(answers[7].order, self.ranker.rank(*requests[7], budget=2).order)

    def test_requests_may_be_mappings(self):
        answers = self.ranker.rank_many([{"history": ["Alien"], "docs": DOCS},
                                         {"query": QUERY, "docs": DOCS[:2], "ids": ["x", "y"]}])
        self.assertEqual(set(answers[1].ids), {"x", "y"})
        with self.assertRaisesRegex(ValueError, "no 'budget'"):
            self.ranker.rank_many([{"query": QUERY, "docs": DOCS, "budget": 2}])

    def test_requests_are_taken_as_they_are_needed(self):
        taken = []
        requests = ((taken.append(i) or QUERY, DOCS) for i in range(1000))
        answers = self.ranker.iter_many(requests)
        next(answers)
        answers.close()
        self.assertLess(len(taken), 10)

    def test_an_error_ends_it(self):
        with self.assertRaises(rsd.InvalidRequest):
            self.ranker.rank_many([(QUERY, DOCS), (QUERY, []), (QUERY, DOCS)])
        self.assertEqual(len(self.ranker.rank(QUERY, DOCS)), 4)


class Sharing(OnATinyModel):
    def test_threads_get_their_own_answers(self):
        lists = [[f"text {i * j % 17} of {i}" for j in range(3 + i % 6)] for i in range(40)]
        expected = [self.ranker.rank(QUERY, docs, budget=2).order for docs in lists]
        found = [None] * 40

        def rank(i):
            found[i] = self.ranker.rank(QUERY, lists[i], budget=2).order

        threads = [threading.Thread(target=rank, args=(i,)) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, expected)

    def test_other_threads_run_while_one_ranks(self):
        ranking = threading.Thread(target=self._rank_until_cancelled)
        ranking.start()
        turns = 0
        while turns < 1000 and ranking.is_alive():
            turns += 1
            time.sleep(0)
        self.assertEqual(turns, 1000)  # with the GIL held this thread would have had no turn
        self._cancel.set()
        ranking.join()

    def setUp(self):
        self._cancel = threading.Event()

    def _rank_until_cancelled(self):
        async def rank():
            task = asyncio.ensure_future(
                self.ranker.rank_async(QUERY, ENDLESS["docs"], **ENDLESS["options"]))
            while not self._cancel.is_set():
                await asyncio.sleep(0.01)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(rank())


class Cancelling(OnATinyModel):
    def test_async_requests_run_together(self):
        async def rank_all():
            return await asyncio.gather(*(self.ranker.rank_async(QUERY, DOCS[:n], budget=1)
                                          for n in (2, 3, 4) * 20))

        self.assertEqual([len(answer) for answer in asyncio.run(rank_all())], [2, 3, 4] * 20)

    def test_a_cancelled_task_cancels_its_request(self):
        async def rank_and_cancel():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(
                    self.ranker.rank_async(QUERY, ENDLESS["docs"], **ENDLESS["options"]), 0.3)
            return await self.ranker.rank_async(QUERY, DOCS)

        self.assertEqual(len(asyncio.run(rank_and_cancel())), 4)

    def test_ctrl_c_cancels_the_request(self):
        # Programs that a shell has put in the background ignore it.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,)).start()
        with self.assertRaises(KeyboardInterrupt):
            self.ranker.rank(QUERY, ENDLESS["docs"], **ENDLESS["options"])
        self.assertEqual(len(self.ranker.rank(QUERY, DOCS)), 4)  # it is free for others

    def test_a_deadline_gives_the_ranking_so_far(self):
        answer = self.ranker.rank(QUERY, ENDLESS["docs"], deadline_ms=50, **ENDLESS["options"])
        self.assertTrue(answer.deadline_hit)
        self.assertEqual(len(answer), 3000)


class Closing(unittest.TestCase):
    def test_cancels_what_is_in_progress(self):
        ranker = rsd.Ranker(TINY, threads=1)
        caught = []

        def rank():
            try:
                ranker.rank(QUERY, ENDLESS["docs"], **ENDLESS["options"])
            except rsd.RsdError as error:
                caught.append(error)

        thread = threading.Thread(target=rank)
        thread.start()
        time.sleep(0.2)
        ranker.close()
        thread.join()
        self.assertIn(caught[0].code, ("cancelled", "invalid_argument"))
        ranker.close()
        with self.assertRaisesRegex(rsd.InvalidRequest, "closed"):
            ranker.rank(QUERY, DOCS)

    def test_garbage_is_freed(self):
        before = threading.active_count()
        for _ in range(3):
            rsd.Ranker(TINY, threads=1)
        gc.collect()
        while threading.active_count() > before:
            time.sleep(0.01)
        native = len(os.listdir("/proc/self/task"))
        rsd.Ranker(TINY, threads=1).close()
        self.assertLessEqual(len(os.listdir("/proc/self/task")), native)

    def test_a_forked_process_is_told(self):
        ranker = rsd.Ranker(TINY, threads=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12's of fork() with threads
            child = os.fork()
        if child == 0:
            try:
                ranker.rank(QUERY, DOCS)
            except rsd.RsdError as error:
                os._exit(0 if "forked" in str(error) else 1)
            os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        ranker.close()

    def test_an_open_ranker_does_not_keep_the_interpreter(self):
        script = f"import rsd\nr = rsd.Ranker({str(TINY)!r})\nprint(len(r.rank('q', ['a', 'b'])))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                              check=True, timeout=120)
        self.assertEqual((done.stdout, done.stderr), ("2\n", ""))


class Log(unittest.TestCase):
    def test_goes_to_a_function_or_a_logger(self):
        lines = []
        rsd.Ranker(TINY, threads=1, log=lambda level, line: lines.append((level, line))).close()
        self.assertTrue(lines)
        self.assertTrue(all(level in (10, 20, 30, 40) and line for level, line in lines))
        with self.assertLogs("rsd.test", logging.DEBUG) as caught:
            rsd.Ranker(TINY, threads=1, log=logging.getLogger("rsd.test")).close()
        self.assertTrue(caught.records)


class Package(unittest.TestCase):
    def test_importing_loads_no_library(self):
        script = "import rsd, sys; print(open('/proc/self/maps').read().count('librsd'))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                              check=True)
        self.assertEqual(done.stdout, "0\n")

    def test_its_version_is_the_librarys(self):
        from rsd import _library
        self.assertEqual(rsd.__version__, _library.library().rsd_version().decode())


def load_tests(loader, tests, pattern):
    for module in (rsd._answer, rsd._ranker):
        tests.addTests(doctest.DocTestSuite(module, extraglobs={"model": TINY}))
    return tests


if __name__ == "__main__":
    unittest.main()
