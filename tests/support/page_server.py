"""A stand-in for `rsd serve` that the page's tests can make refuse, wait and hang up.

It serves the files of server/page/ with the server's own security headers and answers /v1/rank by
decoding against a synthetic LLM, whose logits are a function of the texts and of the prefix. `plan`
holds what the next requests get instead.
"""

import http.server
import json
import math
import pathlib
import threading
import zlib

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "server" / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


class PageServer:
    """`with PageServer() as server:` serves at server.url until the block ends."""

    def __init__(self):
        self.ready = True
        self.key = None  # what Authorization has to carry
        self.plan = []  # (status, headers, body) of the next answers of /v1/rank
        self.requests = []  # bodies that /v1/rank got
        self.gate = threading.Event()  # closed, /v1/rank waits
        self.gate.set()

    def __enter__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def refuse(self, status, message="", **headers):
        error = {"error": {"code": status, "message": message, "type": "error"}}
        self.plan.append((status, headers, error))

    def answer(self, request):
        self.requests.append(request)
        self.gate.wait(30)
        if self.plan:
            return self.plan.pop(0)
        body = {"model": "made-up", "answers": [decode(request)], "usage": {}}
        return 200, {}, body


def handler_of(site):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            if self.path == "/ready":
                return self.send_json(200 if site.ready else 503, {})
            if self.path == "/v1/models":
                return self.send_json(200, {"data": [{"id": "made-up"}]})
            name = self.path.lstrip("/") or "index.html"
            file = PAGE / name
            if "/" in name or not file.is_file():
                return self.send_json(404, {})
            return self.send(200, {}, TYPES[file.suffix], file.read_bytes())

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if site.key and self.headers["Authorization"] != f"Bearer {site.key}":
                return self.send_json(401, {"error": {"code": 401, "message": "no valid API key"}})
            status, headers, answer = site.answer(body)
            return self.send_json(status, answer, headers)

        def send_json(self, status, body, headers=None):
            self.send(status, headers or {}, "application/json", json.dumps(body).encode())

        def send(self, status, headers, content_type, body):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", "default-src 'self'")
            self.send_header("X-Content-Type-Options", "nosniff")
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), str(value))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:  # the page cancelled
                pass

    return Handler


# --- the synthetic LLM and its decoders -----------------------------------------------------------


def noise(*parts):
    """A number in [-1, 1) that depends on nothing but `parts`."""
    return zlib.crc32(repr(parts).encode()) / 2**31 - 1


class MadeUpLlm:
    def __init__(self, request):
        words = set((request.get("query") or " ".join(request["history"])).lower().split())
        texts = [candidate["text"] for candidate in request["candidates"]]
        self.relevance = [
            2 * math.sqrt(len(words & set(text.lower().split()))) + noise(text) for text in texts
        ]

    def row(self, prefix):
        """The logits after a prefix: relevance, and how well an item follows the one before."""
        before = prefix[-1] if prefix else None
        return [
            round(3 * relevance + 1.5 * noise(before, item, len(prefix)), 4)
            for item, relevance in enumerate(self.relevance)
        ]


def choice(row, placed):
    return max((i for i in range(len(row)) if i not in placed), key=lambda i: (row[i], -i))


def decode(request):
    """An answer of the API's full shape, rounds included."""
    decoder = request.get("decoder", "rsd")
    k = len(request["candidates"])
    budget = {"std": 1, "rsd": request.get("budget", 3), "sd": request.get("budget")}.get(decoder)
    llm, rounds, known = MadeUpLlm(request), [], []
    while len(known) < k and (budget is None or len(rounds) < budget):
        proposal = propose(decoder, rounds, known, k)
        rows = [llm.row(proposal[:j]) for j in range(min(k, len(proposal) + 1))]
        known, accepted = verify(proposal, rows, known)
        rounds.append({"proposal": proposal, "accepted": accepted, "known": known, "logits": rows})
    order = known + [i for i in by_mean(rounds, k) if i not in known]
    return {
        "id": request.get("id", "q"),
        "ranking": [request["candidates"][i]["id"] for i in order],
        "scores": [float(k - j) for j in range(k)],
        "relevance_scores": [round(1 / (1 + math.exp(j - k / 3)), 3) for j in range(k)],
        "decoder": decoder,
        "budget": budget if decoder in ("rsd", "sd") else None,
        "encodings": len(rounds),
        "verified_prefix": len(known),
        "tokens_encoded": 400 + k * (len(rounds) - 1),
        "timing_ms": {"prefill": 812.5, "decode": 61.25 * (len(rounds) - 1), "agent": 0.2,
                      "total": 813.0 + 61.25 * (len(rounds) - 1)},
        "deadline_hit": False,
        "truncated_candidates": 0,
        "rounds": rounds,
    }  # fmt: skip


def propose(decoder, rounds, known, k):
    if not rounds or decoder in ("ar", "std"):
        return list(known)
    shown = rounds[:1] if decoder == "sd" else rounds
    return known + [i for i in by_mean(shown, k) if i not in known]


def by_mean(rounds, k):
    rows = [row for one in rounds for row in one["logits"]]
    return sorted(range(k), key=lambda i: -sum(row[i] for row in rows))


def verify(proposal, rows, known):
    known = list(known)
    while len(known) < len(rows):
        position = len(known)
        known.append(choice(rows[position], known))
        if position >= len(proposal) or proposal[position] != known[position]:
            break
    if len(known) == len(rows[0]) - 1:
        known.append(choice(rows[0], known))
    agreeing = [a == b for a, b in zip(known, proposal)]
    return known, agreeing.index(False) if False in agreeing else len(agreeing)
