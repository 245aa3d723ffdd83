#!/usr/bin/env python3
"""Open WebUI, Dify and LiteLLM against the server that the container runs.

usage: products_test.py RSD [unittest's arguments]

The server is started with the entry point and the command of packaging/docker/Dockerfile, on another
port and a tiny model. The requests have the shape that the products' sources send, at the addresses and
with the settings of packaging/docker/compose.*.yaml; the products themselves are not run.
"""

import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
from urllib.parse import urlsplit

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from processes import free_port, wait_until  # noqa: E402

DOCKER = ROOT / "packaging" / "docker"
MODEL = ROOT / "tests" / "models" / "tiny-bpe.gguf"
KEY = "secret"
QUERY = "how to split peas"
TEXTS = ["Soak the peas overnight.", "A recipe for pancakes.", "Split peas need no soaking.",
         "The weather is fine."]
RSD = ""


def instruction(name):
    """The list of the last such instruction of the Dockerfile."""
    lines = re.findall(rf"^{name} (\[.*\])$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    return json.loads(lines[-1])


def setting(file, name):
    """The value of a line `name: value`, without its comment and with the defaults of its variables."""
    text = (DOCKER / file).read_text()
    value = re.search(rf"^\s*(?:- )?{name}: *(.*?)(?:\s+#.*)?$", text, re.MULTILINE).group(1)
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda match: os.environ.get(match[1], match[2]), value)


class Products(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        entry, command = instruction("ENTRYPOINT"), instruction("CMD")
        assert entry == ["rsd"] and command[-2:] == ["--port", "8080"], (entry, command)
        cls.log = tempfile.NamedTemporaryFile()
        cls.addClassCleanup(cls.log.close)
        cls.server = subprocess.Popen(
            [RSD, *command[:-1], str(cls.port), "--model", MODEL, "--threads", "1"],
            env={**os.environ, "RSD_API_KEY": KEY}, stdin=subprocess.DEVNULL, stdout=cls.log, stderr=cls.log)
        cls.addClassCleanup(cls.server.wait)
        cls.addClassCleanup(cls.server.kill)
        wait_until(cls.is_healthy)

    @classmethod
    def is_healthy(cls):
        """By the health check of the image."""
        words = instruction(r"    CMD")
        assert words[-1] == "http://127.0.0.1:8080/ready", words
        assert cls.server.poll() is None, pathlib.Path(cls.log.name).read_text()
        try:
            return cls.get(words[-1], {})[0] == 200
        except OSError:
            return False

    @classmethod
    def get(cls, url, headers):
        return cls.call("GET", url, None, headers)

    @classmethod
    def call(cls, method, url, body, headers):
        """As a container of the same network, which sends the name in the URL as its Host."""
        parts = urlsplit(url)
        assert parts.netloc in ("rsd:8080", "127.0.0.1:8080"), url
        connection = http.client.HTTPConnection("127.0.0.1", cls.port, timeout=60)
        try:
            connection.request(method, parts.path, body and json.dumps(body),
                               {"Host": parts.netloc, "Content-Type": "application/json", **headers})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def good(self, method, url, body=None, headers=None):
        status, content = self.call(method, url, body,
                                    {"Authorization": f"Bearer {KEY}", **(headers or {})})
        self.assertEqual(status, 200, content)
        return json.loads(content)

    def check_scores(self, scores):
        """By the index of the text."""
        self.assertEqual(set(scores), set(range(len(TEXTS))))
        self.assertTrue(all(0 <= score <= 1 for score in scores.values()), scores)

    def test_open_webui(self):
        file = "compose.open-webui.yaml"
        self.assertEqual(setting(file, "RAG_RERANKING_ENGINE"), "external")
        self.assertEqual(setting(file, "RAG_EXTERNAL_RERANKER_API_KEY"), setting("compose.yaml", "RSD_API_KEY"))
        body = {"model": setting(file, "RAG_RERANKING_MODEL"), "query": QUERY, "documents": TEXTS,
                "top_n": len(TEXTS)}
        answer = self.good("POST", setting(file, "RAG_EXTERNAL_RERANKER_URL"), body,
                           {"X-OpenWebUI-User-Name": "A%20User", "X-OpenWebUI-User-Role": "user"})
        self.check_scores({result["index"]: result["relevance_score"] for result in answer["results"]})

    def dify_url(self, plugin):
        """What compose.dify.yaml has for one of Dify's plugins."""
        text = (DOCKER / "compose.dify.yaml").read_text().replace("\n#", "")
        return re.search(rf"{plugin}.*?(http://[^\s,]+)", text).group(1)

    def test_dify_text_embedding_inference(self):
        url = self.dify_url("Text Embedding Inference")
        # The plugin asks for the kind of the model first.
        info = self.good("GET", url + "/info")
        self.assertEqual(list(info["model_type"]), ["reranker"])
        self.assertGreater(info["max_input_length"], 0)
        results = self.good("POST", url + "/rerank", {"query": QUERY, "texts": TEXTS, "return_text": True})
        self.check_scores({result["index"]: result["score"] for result in results})
        self.assertTrue(all(result["text"] == TEXTS[result["index"]] for result in results))

    def test_dify_openai_compatible(self):
        url = self.dify_url("OpenAI-API-compatible").rstrip("/") + "/rerank"
        answer = self.good("POST", url, {"model": "rsd", "query": QUERY, "documents": TEXTS, "top_n": 4})
        self.check_scores({result["index"]: result["relevance_score"] for result in answer["results"]})

    def test_litellm(self):
        """Its provider jina_ai; ./dev test-clients runs the proxy itself."""
        file = "litellm.yaml"
        self.assertEqual(setting(file, "model"), "jina_ai/rsd")
        self.assertEqual(setting(file, "api_key"), "os.environ/RSD_API_KEY")
        answer = self.good("POST", setting(file, "api_base") + "/v1/rerank",
                           {"model": "rsd", "query": QUERY, "documents": TEXTS, "top_n": None,
                            "rank_fields": None, "return_documents": True, "max_chunks_per_doc": None})
        self.check_scores({result["index"]: result["relevance_score"] for result in answer["results"]})
        self.assertGreater(answer["usage"]["total_tokens"], 0)

    def test_a_wrong_key_is_refused_and_health_needs_none(self):
        status, _ = self.call("POST", "http://rsd:8080/v1/rerank", {"query": QUERY, "documents": TEXTS},
                              {"Authorization": "Bearer other"})
        self.assertEqual(status, 401)
        self.assertEqual(self.get("http://rsd:8080/health", {})[0], 200)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    RSD = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
