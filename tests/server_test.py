"""The server as a whole, on a tiny random model: real HTTP, real signals, real answers.

Usage: server_test.py RSD [unittest's arguments]
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from rsd_server import Server  # noqa: E402

MODEL = str(ROOT / "tests" / "models" / "tiny-bpe.gguf")
RSD = ""
WORDS = "amber brick cloud delta ember frost grain honey ivory jelly koala lemon".split()


def text(i):
    return f"{WORDS[i % 12]} {WORDS[(i * 7 + 3) % 12]} {i}"


def documents(n=5, first=0):
    return [text(i) for i in range(first, first + n)]


def request(number, n=6):
    """A request line; each number has texts and a query of its own."""
    candidates = [{"id": f"c{i}", "text": t} for i, t in enumerate(documents(n, number * 5))]
    return {"id": f"r{number}", "query": f"what is {text(number)}", "candidates": candidates}


def serve(*options, **more):
    return Server(RSD, "-m", MODEL, "-t", 1, *options, **more)


def ranked(requests, *options):
    """What `rsd rank` answers, by id. The cache is off: a prompt's logits depend on it."""
    lines = "".join(json.dumps(one) + "\n" for one in requests)
    done = subprocess.run(
        [RSD, "rank", "--requests", "-", "-m", MODEL, "-t", "1", "--cache-ram", "0", *options],
        input=lines.encode(), stdout=subprocess.PIPE, check=True, timeout=600)
    return {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}


class OneServer(unittest.TestCase):
    """Tests that share a server with the usual options."""

    @classmethod
    def setUpClass(cls):
        cls.server = serve()
        cls.server.wait_until_ready()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def good(self, reply):
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json()


class Shapes(OneServer):
    def test_cohere_jina_and_vllm(self):
        for path in ["/v1/rerank", "/v2/rerank", "/v1/reranking", "/rerank", "/reranking"]:
            with self.subTest(path=path):
                reply = self.server.post(path, {"model": "rerank-english-v3.0", "query": "amber",
                                                "documents": documents(), "top_n": 3,
                                                "return_documents": True})
                body = self.good(reply)
                scores = [result["relevance_score"] for result in body["results"]]
                self.assertEqual(scores, sorted(scores, reverse=True))
                self.assertEqual(len(set(scores)), 3)
                self.assertTrue(all(0 < score <= 1 for score in scores))
                for result in body["results"]:
                    self.assertEqual(result["document"]["text"], documents()[result["index"]])
                self.assertEqual(body["model"], "tiny-bpe")
                self.assertEqual(body["meta"]["billed_units"], {"search_units": 1})
                self.assertGreater(body["usage"]["total_tokens"], body["usage"]["prompt_tokens"])
                self.assertEqual(reply.headers["Content-Type"], "application/json")

    def test_tei(self):
        body = self.good(self.server.post("/rerank", {
            "query": "amber", "texts": documents(), "truncate": True, "return_text": True,
            "raw_scores": False}))
        self.assertEqual(sorted(result["index"] for result in body), [0, 1, 2, 3, 4])
        for result in body:
            self.assertEqual(result["text"], documents()[result["index"]])

    def test_dify_asks_for_the_model_first(self):
        info = self.good(self.server.get("/info"))
        self.assertEqual(list(info["model_type"]), ["reranker"])
        self.assertGreater(info["max_input_length"], 0)
        results = self.good(self.server.post("/rerank", {
            "query": "Whose kasumi", "texts": documents(3), "return_text": True}))
        self.assertEqual(sorted(result["index"] for result in results), [0, 1, 2])
        self.assertTrue(all(0 <= result["score"] <= 1 and result["text"] for result in results))

    def test_xinferences_client_asks_for_keys_and_the_model_first(self):
        self.assertEqual(self.good(self.server.get("/v1/cluster/auth")), {"auth": False})
        model = self.good(self.server.get("/v1/models/bge-reranker-base"))
        self.assertEqual(model["model_type"], "rerank")
        body = self.good(self.server.post("/v1/rerank", {
            "model": "bge-reranker-base", "documents": documents(), "query": "amber",
            "top_n": None, "max_chunks_per_doc": None, "return_documents": True,
            "return_len": None, "kwargs": "{}"}))
        for result in body["results"]:
            self.assertEqual(result["document"]["text"], documents()[result["index"]])

    def test_litellms_infinity_provider_reads_a_string(self):
        body = self.good(self.server.post("/infinity/rerank", {
            "model": "m", "query": "amber", "documents": documents(), "top_n": 3,
            "return_documents": True}))
        self.assertEqual(body["object"], "rerank")
        for result in body["results"]:
            self.assertEqual(result["document"], documents()[result["index"]])

    def test_large_bodies_that_are_refused_get_the_answer(self):
        large = b"x" * (32 << 20)
        for _ in range(5):
            self.assertEqual(self.server.post("/v1/rerank", large).status, 413)
            self.assertEqual(self.server.post("/v1/rerank", large,
                                              {"Content-Encoding": "gzip"}).status, 415)

    def test_rank_returns_rounds(self):
        body = self.good(self.server.post(
            "/v1/rank", {**request(1, 8), "decoder": "rsd", "budget": 2, "rounds": True}))
        (answer,) = body["answers"]
        self.assertEqual(answer["id"], "r1")
        self.assertEqual(len(answer["rounds"]), answer["encodings"])
        self.assertEqual([len(row) for row in answer["rounds"][-1]["logits"]],
                         [8] * len(answer["rounds"][-1]["logits"]))
        self.assertEqual(body["usage"]["encodings"], answer["encodings"])

    def test_errors_are_in_the_clients_dialect(self):
        jina = self.server.post("/v1/rerank", {"query": "q", "documents": []})
        self.assertEqual(jina.status, 400)
        self.assertEqual(jina.json()["detail"], "documents is empty")
        tei = self.server.post("/rerank", {"query": "q", "texts": []})
        self.assertEqual((tei.status, tei.json()["error_type"]), (400, "empty"))
        broken = self.server.post("/v2/rerank", "{")
        self.assertEqual(broken.status, 400)
        self.assertEqual(broken.json()["error"]["type"], "invalid_request_error")

    def test_more_candidates_than_fit_a_prompt_are_ranked_in_windows(self):
        body = self.good(self.server.post("/v1/rerank", {
            "query": "q", "documents": documents(300), "budget": 40, "window_method": "top-down"}))
        self.assertEqual(sorted(r["index"] for r in body["results"]), list(range(300)))
        self.assertLessEqual(body["usage"]["encodings"], 40)
        scores = [r["relevance_score"] for r in body["results"]]
        self.assertTrue(all(a > b for a, b in zip(scores, scores[1:])))

    def test_models_metrics_and_the_description(self):
        self.assertEqual(self.good(self.server.get("/v1/models"))["data"][0]["id"], "tiny-bpe")
        self.assertEqual(self.good(self.server.get("/openapi.json"))["openapi"], "3.1.0")
        self.assertEqual(self.server.metric("rsd_ready"), 1)

    def test_malformed_bodies(self):
        deep = '{"query":"q","documents":' + "[" * 100_000 + "]" * 100_000 + "}"
        for body in ["", "null", "[]", "{", deep, b"\xff\xfe", '{"query":"q","documents":[1]}',
                     '{"query":"\\u12","documents":["a"]}', '{"query":1e999,"documents":["a"]}',
                     '{"documents":["a","b"]}', '{"query":"q","documents":{"text":"a"}}']:
            for path in ["/v1/rerank", "/v2/rerank", "/rerank", "/v1/rank"]:
                with self.subTest(path=path, body=body[:40]):
                    reply = self.server.post(path, body)
                    self.assertIn(reply.status, [400, 422])
                    self.assertTrue(reply.json()["message"])
                    for inside in [b"/tests/", b".cpp", b"json.exception", b"std::"]:
                        self.assertNotIn(inside, reply.body)


class UnknownFields(unittest.TestCase):
    BODY = {"query": "amber", "documents": documents(), "topn": 1}

    def test_they_are_named_in_a_header_and_in_the_log(self):
        with serve("--log-level", "debug") as server:
            reply = server.post("/v1/rerank", self.BODY)
            self.assertEqual(reply.status, 200, reply.body)
            self.assertEqual(reply.headers["X-RSD-Ignored-Fields"], "topn")
            self.assertEqual(server.post("/v1/rank", {**request(1), "topn": 1}).status, 400)
            self.assertIn("fields that are unknown and ignored: topn", server.log())

    def test_a_strict_server_refuses_them(self):
        with serve("--strict") as server:
            reply = server.post("/v1/rerank", self.BODY)
            self.assertEqual(reply.status, 400)
            self.assertIn("topn", reply.json()["message"])


class Answers(unittest.TestCase):
    def test_requests_get_what_rsd_rank_answers(self):
        requests = [request(i, 4 + i % 9) for i in range(12)]
        for options in [["--decoder", "ar"], ["--decoder", "rsd", "--budget", "2"]]:
            expected = ranked(requests, *options)
            with self.subTest(options=options), serve("--cache-ram", 0, *options) as server:
                for one in requests:
                    (answer,) = server.post("/v1/rank", one).json()["answers"]
                    for field in ["id", "ranking", "scores", "decoder", "budget", "encodings",
                                  "verified_prefix"]:
                        self.assertEqual(answer[field], expected[one["id"]][field], one["id"])

    def test_concurrent_requests_get_their_own_logits(self):
        requests = [request(i, 4 + i % 9) | {"rounds": True} for i in range(40)]
        with serve("--cache-ram", 0, "--queue", 100, "--budget", 2) as server:
            alone = [server.post("/v1/rank", one).json()["answers"][0] for one in requests]
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                replies = list(pool.map(lambda one: server.post("/v1/rank", one), requests))
        for one, reply, own in zip(requests, replies, alone):
            (answer,) = reply.json()["answers"]
            self.assertEqual((answer["id"], answer["encodings"]), (one["id"], own["encodings"]))
            self.assertEqual(sorted(answer["ranking"]), sorted(own["ranking"]))
            # Who else is in a pass changes the rounding: by 0.01 where the logits span 13.
            for got, wanted in zip(answer["rounds"][0]["logits"][0], own["rounds"][0]["logits"][0]):
                self.assertAlmostEqual(got, wanted, delta=0.1, msg=one["id"])

    def test_duplicates_and_one_document(self):
        with serve() as server:
            same = server.post("/v1/rerank", {"query": "q", "documents": ["a", "a", "a"]}).json()
            self.assertEqual(sorted(r["index"] for r in same["results"]), [0, 1, 2])
            one = server.post("/v1/rerank", {"query": "q", "documents": ["a"]})
            self.assertEqual(one.headers["X-RSD-Encodings"], "0")

    def test_texts_are_cut_on_demand(self):
        body = {"query": "q", "documents": ["amber brick cloud delta ember", "a"],
                "max_tokens_per_doc": 2}
        with serve() as server:
            self.assertEqual(server.post("/v1/rerank", body).headers["X-RSD-Truncated"], "1")
            refused = server.post("/v1/rerank", {**body, "truncate": False})
            self.assertEqual(refused.status, 413)


class Index(unittest.TestCase):
    """Candidates of `rsd serve --index`, which are known to all clients."""

    BLOCKS = str(ROOT / "templates" / "blocks-passage.yaml")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        corpus = self.folder / "corpus.jsonl"
        texts = {f"m{i}": text(i) for i in range(20)} | {"long": "x " * 10_000}
        corpus.write_text("".join(json.dumps({"id": key, "text": value}) + "\n"
                                  for key, value in texts.items()))
        subprocess.run([RSD, "index", "-m", MODEL, "-t", "1", "--prompt-template", self.BLOCKS,
                        "--corpus", corpus, "--out", self.folder / "index"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600)

    def test_ids_alone_are_ranked_as_their_texts(self):
        ids = [{"id": f"m{i}"} for i in range(8)]
        texts = [{"id": f"m{i}", "text": text(i)} for i in range(8)]
        with serve("--prompt-template", self.BLOCKS) as server:
            (fresh,) = server.post("/v1/rank", {"query": "q", "candidates": texts}).json()["answers"]
            refused = server.post("/v1/rank", {"query": "q", "candidates": ids})
            self.assertEqual((refused.status, fresh["candidates_reused"]), (400, 0))
        with serve("--prompt-template", self.BLOCKS, "--index", self.folder / "index") as server:
            for candidates in [ids, texts]:
                body = {"query": "q", "candidates": candidates}
                (answer,) = server.post("/v1/rank", body).json()["answers"]
                self.assertEqual(answer["ranking"], fresh["ranking"])
                self.assertEqual(answer["candidates_reused"], 8)
                self.assertLess(answer["tokens_encoded"], fresh["tokens_encoded"])
            reranked = server.post("/v1/rerank", {"query": "q", "documents": [text(3), text(4)]})
            self.assertEqual(reranked.status, 200)
            unknown = server.post("/v1/rank", {"query": "q", "candidates": [ids[0], {"id": "m99"}]})
            self.assertEqual(unknown.status, 400)
            self.assertIn("\"m99\" is not in the index", unknown.json()["error"]["message"])
            metrics = server.get("/metrics").body.decode()
            self.assertIn('rsd_candidates_total{source="index"} 18', metrics)
            self.assertIn('rsd_candidates_total{source="encoded"} 0', metrics)

    def test_an_index_that_fails_is_no_fault_of_the_request(self):
        file = self.folder / "index" / "candidates.rsdi"
        with serve("--prompt-template", self.BLOCKS, "--index", self.folder / "index") as server:
            whole = file.read_bytes()
            file.write_bytes(whole[:len(whole) // 2])
            for candidates in ([{"id": "m1"}, {"id": "m2"}],
                               [{"id": f"m{i}", "text": text(i)} for i in (1, 2)]):
                reply = server.post("/v1/rank", {"query": "q", "candidates": candidates})
                self.assertEqual(reply.status, 500)
                self.assertNotIn(str(self.folder), reply.body.decode())

    def test_texts_of_the_index_count_as_memory(self):
        with serve("--prompt-template", self.BLOCKS, "--index", self.folder / "index",
                   "--memory-limit", 1) as server:
            one = {"query": "q", "candidates": [{"id": "m1"}, {"id": "long"}]}
            self.assertEqual(server.post("/v1/rank", one).status, 200)
            many = {"requests": [{**one, "id": str(i)} for i in range(10)]}
            self.assertEqual(server.post("/v1/rank", many).status, 503)


class Limits(unittest.TestCase):
    def test_keys(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = pathlib.Path(folder, "keys")
            keys.write_text("secret-1\n\nsecret-2\n")
            with serve("--api-key-file", keys) as server:
                body = {"query": "q", "documents": ["a", "b"]}
                self.assertEqual(server.post("/v1/rerank", body).status, 401)
                for key in ["secret-1", "secret-2"]:
                    headers = {"Authorization": "Bearer " + key}
                    self.assertEqual(server.post("/v1/rerank", body, headers).status, 200)
                self.assertEqual(server.get("/health").status, 200)
                self.assertEqual(server.get("/metrics").status, 401)
                self.assertNotIn("secret", server.log())

    def test_what_another_key_has_asked_for_shows_in_no_answer(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = pathlib.Path(folder, "keys")
            keys.write_text("secret-1\nsecret-2\n")
            with serve("--api-key-file", keys) as server:
                def tokens(key, **more):
                    body = {"query": "who asked this before?", "decoder": "std", "candidates":
                            [{"id": i, "text": text(i)} for i in range(12)], **more}
                    reply = server.post("/v1/rank", body, {"Authorization": "Bearer " + key})
                    self.assertEqual(reply.status, 200, reply.body)
                    return reply.json()["answers"][0]["tokens_encoded"]

                first = tokens("secret-1")
                self.assertGreater(first, 0)
                self.assertEqual(tokens("secret-1"), 0)
                self.assertEqual(tokens("secret-2"), first)
                self.assertEqual(tokens("secret-2"), 0)
                self.assertEqual(tokens("secret-2", cache_salt="a tenant"), first)
                self.assertEqual(tokens("secret-2", cache_salt="a tenant"), 0)
                self.assertEqual(tokens("secret-1", cache_salt="a tenant"), first)
                self.assertEqual(tokens("secret-1"), 0)

    def test_the_environments_key(self):
        with serve(env={**os.environ, "LLAMA_API_KEY": "k"}) as server:
            self.assertEqual(server.get("/v1/models").status, 401)
            headers = {"Authorization": "Bearer k"}
            self.assertEqual(server.get("/v1/models", headers).status, 200)
        with serve(env={**os.environ, "RSD_API_KEY": " k\n"}) as server:
            self.assertEqual(server.get("/v1/models", headers).status, 200)
        blank = subprocess.run([RSD, "serve", "--port", "0", "-m", MODEL], capture_output=True,
                               env={**os.environ, "RSD_API_KEY": ""}, timeout=60)
        self.assertEqual(blank.returncode, 5)
        self.assertIn(b"RSD_API_KEY holds no API key", blank.stderr)

    def test_a_deadline_gives_an_order_not_an_error(self):
        with serve() as server:
            for deadline in [0.001, 1, 1e6]:
                reply = server.post("/v1/rerank", {"query": "q", "documents": documents(20),
                                                   "deadline_ms": deadline})
                self.assertEqual(reply.status, 200)
                indices = sorted(result["index"] for result in reply.json()["results"])
                self.assertEqual(indices, list(range(20)))
            late = server.post("/v1/rerank", {"query": "q", "documents": documents(20)},
                               {"X-RSD-Deadline-Ms": "0.001"})
            self.assertEqual(late.headers["X-RSD-Deadline-Hit"], "true")
            self.assertEqual([r["index"] for r in late.json()["results"]], list(range(20)))

    def test_work_beyond_the_limit_is_refused_with_the_estimate(self):
        with serve("--max-tokens-per-request", 3000) as server:
            body = {"query": "q", "documents": documents(60), "window": 2, "stride": 1,
                    "window_method": "sliding"}
            refused = server.post("/v1/rerank", body)
            self.assertEqual(refused.status, 413)
            self.assertRegex(refused.json()["message"], r"expected to take \d{4,} tokens.* 3000")
            self.assertEqual(server.post("/v1/rerank", {**body, "documents": documents(4)}).status,
                             200)

    def test_a_short_request_gets_in_beside_long_ones(self):
        """With one place for requests; how long it waits is measured by benchmarks/hostile.py."""
        with serve("--parallel", 1) as server:
            long = {"query": "q", "documents": [text(i) * 40 for i in range(60)], "window": 2,
                    "stride": 1, "window_method": "sliding"}
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                answers = [pool.submit(server.post, "/v1/rerank", long) for _ in range(3)]
                while server.metric("rsd_in_flight") != 1:
                    time.sleep(0.01)
                short = server.post("/v1/rerank", {"query": "q", "documents": documents(2)})
                self.assertEqual(short.status, 200)
                self.assertFalse(any(answer.done() for answer in answers))
                self.assertEqual([answer.result().status for answer in answers], [200] * 3)

    def test_a_full_queue_is_answered_with_429(self):
        with serve("--queue", 1, "--parallel", 1) as server:
            body = {"requests": [request(1, 40)], "decoder": "ar"}
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                replies = list(pool.map(lambda _: server.post("/v1/rank", body), range(64)))
            statuses = {reply.status for reply in replies}
            self.assertLessEqual(statuses, {200, 429})
            self.assertIn(200, statuses)
            for reply in replies:
                if reply.status == 429:
                    self.assertGreaterEqual(int(reply.headers["Retry-After"]), 1)

    def test_slow_and_vanishing_clients_do_not_keep_others_waiting(self):
        with serve("--request-timeout", 1, "--connections", 32) as server:
            slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
            for one in slow:
                one.sendall(b"POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
            body = json.dumps({"query": "q", "documents": documents(20)}).encode()
            for _ in range(20):
                gone = socket.create_connection(("127.0.0.1", server.port))
                gone.sendall(b"POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                             % len(body) + body)
                gone.close()
            self.assertEqual(server.post("/v1/rerank", body).status, 200)
            for one in slow:
                self.assertIn(b"408", one.recv(1000))
                one.close()

    def test_a_reader_that_stops_reading_does_no_harm(self):
        with serve("--request-timeout", 1) as server:
            one = socket.create_connection(("127.0.0.1", server.port))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            one.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
            self.assertEqual(server.get("/health").status, 200)
            one.close()
            self.assertEqual(server.stop(), 0)

    def reader_that_stops_reading(self, server):
        one = socket.create_connection(("127.0.0.1", server.port))
        one.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 300)
        name = 'rsd_http_requests_total{route="/openapi.json",status="200"}'
        served = None  # until no more fits into the socket
        while served is None or served != server.metric(name):
            served = server.metric(name)
            time.sleep(0.2)
        return one

    def test_a_reader_that_stops_reading_keeps_the_server_no_longer_than_the_drain(self):
        with serve("--request-timeout", 3600, "--drain-timeout", 1) as server:
            with self.reader_that_stops_reading(server):
                self.assertEqual(server.stop(), 0)

    def test_a_second_signal_does_not_wait_for_readers(self):
        with serve("--request-timeout", 3600, "--drain-timeout", 3600) as server:
            with self.reader_that_stops_reading(server):
                server.process.send_signal(signal.SIGTERM)
                time.sleep(0.5)  # signals that come together are one
                self.assertIsNone(server.process.poll())
                self.assertEqual(server.stop(), 0)


class Life(unittest.TestCase):
    def test_a_second_signal_does_not_wait_for_a_pass_of_the_llm(self):
        with serve("--drain-timeout", 3600) as server:
            body = {"query": "q", "documents": [" ".join(documents(5000)), "amber"]}
            with concurrent.futures.ThreadPoolExecutor() as pool:
                answer = pool.submit(server.post, "/v1/rerank", body)
                while server.metric("rsd_in_flight") != 1 and not answer.done():
                    time.sleep(0.01)
                server.process.send_signal(signal.SIGTERM)
                time.sleep(0.5)  # signals that come together are one
                self.assertEqual(server.stop(seconds=15), 0)
                self.assertIn(answer.result().status, [200, 413, 503])

    def test_it_listens_before_it_is_ready(self):
        server = serve()
        try:
            server.wait_for_port()
            self.assertEqual(server.get("/health").status, 200)
            reply = server.post("/v1/rerank", {"query": "q", "documents": ["a", "b"]})
            self.assertIn(reply.status, [200, 503])  # a tiny model loads in no time
            server.wait_until_ready()
        finally:
            server.__exit__()

    def test_sigterm_finishes_what_was_accepted(self):
        with serve("--parallel", 1, "--cache-ram", 0) as server:
            body = {"requests": [request(i, 40) for i in range(20)], "decoder": "ar"}
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                reply = pool.submit(server.post, "/v1/rank", body)
                while server.metric("rsd_in_flight") != 1 and not reply.done():
                    time.sleep(0.001)
                self.assertEqual(server.stop(), 0, server.log())
                answers = reply.result().json()["answers"]
            self.assertEqual([answer["id"] for answer in answers], [f"r{i}" for i in range(20)])
            self.assertTrue(all("ranking" in answer for answer in answers))

    def test_sigint_ends_an_idle_server(self):
        with serve() as server:
            server.process.send_signal(signal.SIGINT)
            self.assertEqual(server.process.wait(timeout=60), 0)

    def test_usage_and_missing_files_have_their_exit_codes(self):
        def run(*options):
            done = subprocess.run([RSD, "serve", "--port", "0", *options], capture_output=True,
                                  timeout=60)
            return done.returncode, done.stderr.decode()
        self.assertEqual(run("-m", "nowhere.gguf")[0], 4)
        self.assertEqual(run("-m", MODEL, "--api-key-file", "nowhere")[0], 4)
        self.assertEqual(run("-m", MODEL, "--decoder", "best")[0], 2)
        self.assertEqual(run("-m", MODEL, "--queue", "0")[0], 2)
        with serve() as server:
            done = subprocess.run([RSD, "serve", "--port", str(server.port), "-m", MODEL],
                                  capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 6)
            self.assertIn(b"can't listen on 127.0.0.1", done.stderr)

    def test_logs_as_json(self):
        with serve("--log-format", "json") as server:
            server.post("/v1/rerank", {"query": "q", "documents": ["a", "b"]},
                        {"X-Request-Id": "abc"})
            server.get("/%22%0a")
            self.assertEqual(server.stop(), 0)
            lines = [json.loads(line) for line in server.log().splitlines()]
        (call,) = [line for line in lines if line.get("id") == "abc"]
        self.assertEqual((call["status"], call["path"], call["candidates"]),
                         (200, "/v1/rerank", 2))
        self.assertTrue(all("time" in line and "level" in line for line in lines))


class Log(unittest.TestCase):
    """Whoever doesn't read the server's standard error keeps it from nothing."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        port_file = pathlib.Path(self.folder.name, "port")
        self.process = subprocess.Popen(
            [RSD, "serve", "-m", MODEL, "-t", "1", "--port", "0", "--port-file", port_file],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while not port_file.exists():
            self.assertIsNone(self.process.poll())
            time.sleep(0.01)
        self.port = int(port_file.read_text())

    def tearDown(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.folder.cleanup()

    def fill(self, n_lines):
        """Many times what a pipe holds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for i in range(n_lines):
            if i % 500 == 0:
                connection.close()
            connection.request("GET", "/health")
            reply = connection.getresponse()
            reply.read()
            self.assertEqual(reply.status, 200)
        connection.close()

    def test_a_log_that_nobody_reads_keeps_nobody(self):
        self.fill(3000)
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(timeout=60), 0)

    def test_lines_that_were_dropped_are_counted_in_the_log(self):
        self.fill(12000)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        metrics = connection.getresponse().read().decode()
        connection.close()
        self.assertRegex(metrics, r"(?m)^rsd_log_lines_dropped_total [1-9]")
        self.process.send_signal(signal.SIGTERM)
        log = self.process.stderr.read().decode()
        self.assertEqual(self.process.wait(timeout=60), 0)
        dropped = sum(map(int, re.findall(r"(\d+) lines of this log were dropped", log)))
        self.assertGreater(dropped, 0)
        # The lines about the start and the end may be among those that were dropped.
        others = [line for line in log.splitlines()
                  if "GET /health 200" not in line and "were dropped" not in line]
        self.assertLessEqual(len(others), 11)
        total = log.count("GET /health 200") + dropped
        self.assertIn(total, range(12000, 12000 + 11 - len(others) + 1))


class Documentation(OneServer):
    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_the_examples_of_the_documentation_work(self):
        page = (ROOT / "docs" / "server.md").read_text()
        examples = re.findall(r"```sh\n(curl .*?)```", page, re.DOTALL)
        self.assertGreaterEqual(len(examples), 4)
        for example in examples:
            with self.subTest(example=example[:60]):
                command = example.replace("http://127.0.0.1:8080", self.server.url)
                done = subprocess.run(["bash", "-c", command.replace("curl -s", "curl -s --fail")],
                                      capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                body = json.loads(done.stdout)
                self.assertTrue(body if isinstance(body, list)
                                else body.get("results") or body["answers"])

    def test_the_description_says_what_refusals_mean(self):
        described = self.server.get("/openapi.json").json()
        self.assertEqual(described["servers"][0]["url"], ".", "below a prefix, too")
        meanings = {"403": ["another site", "name"], "413": ["candidates", "memory", "texts"],
                    "415": ["compressed", "Content-Type"], "429": ["queue", "key", "address"],
                    "503": ["loaded", "memory"]}
        for path, methods in described["paths"].items():
            for code, words in meanings.items():
                refusal = methods.get("post", {}).get("responses", {}).get(code)
                if refusal:
                    for word in words:
                        self.assertIn(word, refusal["description"], f"{path} {code}")

    def test_the_metrics_of_the_documentation_are_there(self):
        self.server.post("/v1/rerank", {"query": "q", "documents": ["a", "b"]})
        metrics = self.server.get("/metrics").body.decode()
        page = (ROOT / "docs" / "server.md").read_text()
        dashboard = (ROOT / "docs" / "grafana-dashboard.json").read_text()
        known = set(re.findall(r"^# TYPE (\w+)", metrics, re.MULTILINE))
        for name in re.findall(r"`(rsd_\w+)", page):
            self.assertIn(name, known)
        for name in re.findall(r"rsd_\w+", dashboard):
            self.assertIn(re.sub("_(bucket|sum|count)$", "", name), known)
        for name in known:
            self.assertIn(name, page)


if __name__ == "__main__":
    RSD = sys.argv.pop(1)
    unittest.main()
