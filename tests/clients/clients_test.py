"""Clients of other APIs, unchanged, against `rsd serve` on a tiny model.

Usage: clients_test.py RSD [unittest's arguments]; ./dev test-clients installs what they need.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from processes import free_port, wait_until  # noqa: E402
from rsd_server import Server  # noqa: E402

MODEL = ROOT / "tests" / "models" / "tiny-bpe.gguf"
QUERY = "how to split peas"
TEXTS = ["Soak the peas overnight.", "A recipe for pancakes.", "Split peas need no soaking.",
         "The weather is fine."]
RSD = ""


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(RSD, "-m", MODEL, "-t", 1, "--cache-ram", 0)
        cls.server.wait_until_ready()
        body = {"query": QUERY, "documents": TEXTS}
        cls.expected = [result["index"]
                        for result in cls.server.post("/v1/rerank", body).json()["results"]]

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def check(self, indices, scores):
        self.assertEqual(list(indices), self.expected[:len(list(indices))])
        self.assertEqual(list(scores), sorted(scores, reverse=True))
        self.assertTrue(all(0 <= score <= 1 for score in scores))


class CohereSdk(Clients):
    def test_v2(self):
        import cohere
        client = cohere.ClientV2(api_key="none", base_url=self.server.url)
        answer = client.rerank(model="rerank-v3.5", query=QUERY, documents=TEXTS, top_n=3)
        self.check([r.index for r in answer.results], [r.relevance_score for r in answer.results])
        self.assertEqual(len(answer.results), 3)
        self.assertEqual(answer.meta.api_version.version, "2")
        self.assertEqual(answer.meta.billed_units.search_units, 1)

    def test_v1(self):
        import cohere
        client = cohere.Client(api_key="none", base_url=self.server.url)
        answer = client.rerank(model="rerank-v3.5", query=QUERY, documents=TEXTS,
                               return_documents=True)
        self.check([r.index for r in answer.results], [r.relevance_score for r in answer.results])
        self.assertEqual([r.document.text for r in answer.results],
                         [TEXTS[i] for i in self.expected])

    def test_errors(self):
        import cohere
        client = cohere.ClientV2(api_key="none", base_url=self.server.url)
        with self.assertRaises(cohere.BadRequestError) as caught:
            client.rerank(model="m", query=QUERY, documents=[])
        self.assertIn("documents is empty", str(caught.exception))


class Rerankers(Clients):
    def rank(self, provider, path):
        from rerankers import Reranker
        ranker = Reranker("any", model_type="APIRanker", api_provider=provider, api_key="none",
                          url=self.server.url + path)
        answer = ranker.rank(query=QUERY, docs=TEXTS, doc_ids=list(range(len(TEXTS))))
        self.check([r.doc_id for r in answer.results], [r.score for r in answer.results])
        self.assertEqual([r.text for r in answer.results], [TEXTS[i] for i in self.expected])

    def test_cohere(self):
        self.rank("cohere", "/v1/rerank")

    def test_jina(self):
        self.rank("jina", "/v1/rerank")

    def test_tei(self):
        self.rank("text-embeddings-inference", "/rerank")


class LlamaIndex(Clients):
    def rerank(self, postprocessor):
        from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
        nodes = [NodeWithScore(node=TextNode(text=text, id_=str(i)), score=0.5)
                 for i, text in enumerate(TEXTS)]
        answer = postprocessor.postprocess_nodes(nodes, QueryBundle(query_str=QUERY))
        self.check([int(node.node.node_id) for node in answer], [node.score for node in answer])
        return answer

    def test_cohere(self):
        from llama_index.postprocessor.cohere_rerank import CohereRerank
        self.assertEqual(len(self.rerank(CohereRerank(
            api_key="none", top_n=2, model="m", base_url=self.server.url))), 2)

    def test_jina(self):
        from llama_index.postprocessor.jinaai_rerank import JinaRerank
        self.assertEqual(len(self.rerank(JinaRerank(
            api_key="none", top_n=2, base_url=self.server.url + "/v1"))), 2)

    def test_tei(self):
        from llama_index.postprocessor.tei_rerank import TextEmbeddingInference
        self.rerank(TextEmbeddingInference(
            top_n=3, base_url=self.server.url, model_name="m"))


class LangChain(Clients):
    def test_cohere(self):
        import cohere
        from langchain_cohere import CohereRerank
        from langchain_core.documents import Document
        client = cohere.ClientV2(api_key="none", base_url=self.server.url)
        ranker = CohereRerank(client=client, model="m", top_n=4)
        answer = ranker.compress_documents([Document(page_content=t) for t in TEXTS], QUERY)
        self.check([TEXTS.index(d.page_content) for d in answer],
                   [d.metadata["relevance_score"] for d in answer])

    def test_jina(self):
        from langchain_community.document_compressors import jina_rerank
        from langchain_core.documents import Document
        ranker = jina_rerank.JinaRerank(jina_api_key="none", model="m", top_n=4)
        previous, jina_rerank.JINA_API_URL = jina_rerank.JINA_API_URL, self.server.url + "/v1/rerank"
        self.addCleanup(setattr, jina_rerank, "JINA_API_URL", previous)
        answer = ranker.compress_documents([Document(page_content=t) for t in TEXTS], QUERY)
        self.check([TEXTS.index(d.page_content) for d in answer],
                   [d.metadata["relevance_score"] for d in answer])


class LiteLlmProxy(Clients):
    """With the configuration of packaging/docker/compose.litellm.yaml, at another address of rsd."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        text = (ROOT / "packaging/docker/litellm.yaml").read_text()
        assert "http://rsd:8080" in text
        config = pathlib.Path(folder.name, "litellm.yaml")
        config.write_text(text.replace("http://rsd:8080", cls.server.url))
        cls.url = f"http://127.0.0.1:{free_port()}"
        cls.log = pathlib.Path(folder.name, "log")
        with cls.log.open("wb") as log:
            cls.proxy = subprocess.Popen(
                [pathlib.Path(sys.executable).parent / "litellm", "--config", config, "--host", "127.0.0.1",
                 "--port", cls.url.rsplit(":", 1)[1]],
                env={**os.environ, "RSD_API_KEY": "none", "LITELLM_MASTER_KEY": "sk-test",
                     "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        cls.addClassCleanup(cls.proxy.wait)
        cls.addClassCleanup(cls.proxy.kill)
        wait_until(cls.is_alive, seconds=300)

    @classmethod
    def is_alive(cls):
        assert cls.proxy.poll() is None, cls.log.read_text()
        try:
            return urllib.request.urlopen(cls.url + "/health/liveliness", timeout=10).status == 200
        except OSError:
            return False

    def test_rerank(self):
        body = {"model": "rsd", "query": QUERY, "documents": TEXTS, "top_n": 3}
        call = urllib.request.Request(self.url + "/rerank", json.dumps(body).encode(),
                                      {"Content-Type": "application/json", "Authorization": "Bearer sk-test"})
        try:
            results = json.load(urllib.request.urlopen(call, timeout=120))["results"]
        except urllib.error.HTTPError as error:
            self.fail(f"{error.read()}\n{self.log.read_text()[-3000:]}")
        self.check([r["index"] for r in results], [r["relevance_score"] for r in results])
        self.assertEqual(len(results), 3)


class Description(Clients):
    def test_schemathesis_finds_no_contradiction(self):
        command = [pathlib.Path(sys.executable).parent / "schemathesis",
                   "--config-file", pathlib.Path(__file__).with_name("schemathesis.toml"), "run",
                   self.server.url + "/openapi.json", "--seed", "1", "--max-examples", "40",
                   "--phases", "examples,coverage,fuzzing",
                   # What it takes for valid may be too much for a tiny model's prompt: a 413.
                   "--exclude-checks", "positive_data_acceptance"]
        with tempfile.TemporaryDirectory() as folder:  # it keeps files where it runs
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                                  timeout=900, cwd=folder)
        self.assertEqual(done.returncode, 0, done.stdout[-20_000:])
        self.assertIsNone(self.server.process.poll())


if __name__ == "__main__":
    RSD = sys.argv.pop(1)
    unittest.main()
