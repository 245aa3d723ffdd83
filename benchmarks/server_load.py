"""What `rsd serve` is worth under load.

Usage: server_load.py RSD [--model GGUF] [--requests FILE.jsonl] [--seconds N] [--out FILE.json]

1. One client after the other: the share of a request that is not the LLM's (HTTP, JSON, prompt, queue).
2. Four clients on the server, and `rsd rank --parallel 4` on the file, in turn: requests a second of both, from when the
   first four were through.
3. Mixed load at twice that rate: requests with a deadline and without one, clients that hang up,
   malformed bodies, slow writers and slow readers. Every answer must be a permutation of its own
   candidates and, where it had no deadline, agree with `rsd rank`; every refused request must get
   an answer that says so; the 99th percentile of the accepted ones must be within the deadline and
   10 %; the server's memory must stay flat within 2 %.

Exit code 1 where one of these does not hold. --no-times leaves the promises about times and memory out, for
machines that do other things at the same time; what they were is printed all the same.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from rsd_server import Server  # noqa: E402

MAX_RATE = 200  # requests a second that a client in Python can be trusted with
WORDS = "amber brick cloud delta ember frost grain honey ivory jelly koala lemon".split()


def made_up_requests(n=60):
    chance = random.Random(1)
    return [{"id": f"r{i}", "query": " ".join(chance.choices(WORDS, k=4)),
             "candidates": [{"id": f"r{i}-c{j}", "text": " ".join(chance.choices(WORDS, k=6))}
                            for j in range(chance.choice([4, 8, 16]))]} for i in range(n)]


def read_requests(path, limit):
    """A file's requests; candidate ids carry the request's, so that no answer can pass for another's."""
    requests = []
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()[:limit]:
        one = json.loads(line)
        kept = {key: one[key] for key in ("query", "history", "task") if key in one}
        kept["id"] = str(one["id"])
        kept["candidates"] = [{"id": f"{kept['id']}-{c['id']}", "text": c["text"]}
                              for c in one["candidates"]]
        requests.append(kept)
    return requests


def kendall_tau(a, b):
    place = {item: i for i, item in enumerate(b)}
    pairs = [(place[x] - place[y]) < 0 for i, x in enumerate(a) for y in a[i + 1:]]
    return 2 * sum(pairs) / len(pairs) - 1 if pairs else 1.0


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


class Load:
    """Sends requests of all kinds and keeps what came of them."""

    def __init__(self, server, requests, expected, deadline_ms):
        self.server = server
        self.requests = requests
        self.expected = expected
        self.deadline_ms = deadline_ms
        self.counts = collections.Counter()
        self.faults = []
        self.latencies = []
        self.agreement = []
        self.lock = threading.Lock()

    def note(self, kind, fault=None):
        with self.lock:
            self.counts[kind] += 1
            if fault:
                self.faults.append(f"{kind}: {fault}")

    def send(self, kind, number):
        try:
            getattr(self, kind)(self.requests[number % len(self.requests)], number)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the request went without an answer
            self.note(kind, f"no answer: {failure!r}")

    def urgent(self, request, _):
        self.rank("urgent", request, {"deadline_ms": self.deadline_ms})

    def patient(self, request, _):
        self.rank("patient", request, {})

    def rank(self, kind, request, options):
        start = time.monotonic()
        reply = self.server.post("/v1/rank", {**request, **options})
        ms = (time.monotonic() - start) * 1000
        if reply.status in (429, 503):
            retry_after = reply.headers["Retry-After"]
            return self.note(kind + " refused", None if retry_after else "without Retry-After")
        if reply.status != 200:
            return self.note(kind, f"status {reply.status}: {reply.body[:200]}")
        (answer,) = reply.json()["answers"]
        fault = None
        if sorted(answer["ranking"]) != sorted(c["id"] for c in request["candidates"]):
            fault = "not a permutation of its own candidates"
        with self.lock:
            if options:
                self.latencies.append(ms)
            else:
                self.agreement.append(
                    kendall_tau(answer["ranking"], self.expected[request["id"]]))
        self.note(kind + (" late" if answer["deadline_hit"] else ""), fault)

    def malformed(self, request, number):
        body = json.dumps(request)[:-random.Random(number).randrange(1, 20)]
        reply = self.server.post("/v1/rerank", body)
        self.note("malformed", None if reply.status == 400 else f"status {reply.status}")

    def raw(self, request):
        body = json.dumps(request).encode()
        head = b"POST /v1/rank HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        return socket.create_connection(("127.0.0.1", self.server.port)), head % len(body) + body

    def vanishing(self, request, number):
        connection, message = self.raw(request)
        chance = random.Random(number)
        connection.sendall(message[:chance.choice([len(message), chance.randrange(1, len(message))])])
        time.sleep(chance.uniform(0, 0.2))  # some hang up in the queue, some in a pass
        connection.close()
        self.note("vanishing")

    def slow_writer(self, request, _):
        connection, message = self.raw(request)
        third = len(message) // 3 + 1
        for at in range(0, len(message), third):
            connection.sendall(message[at:at + third])
            time.sleep(0.05)
        self.read(connection, "slow writer")

    def slow_reader(self, request, _):
        connection, message = self.raw(request)
        connection.sendall(message)
        time.sleep(0.3)
        self.read(connection, "slow reader", size=512)

    def read(self, connection, kind, size=4096):
        connection.settimeout(120)
        text = b""
        while block := connection.recv(size):
            text += block
        connection.close()
        status = text.split(b" ")[1] if b" " in text else b"none"
        self.note(f"{kind} {status.decode()}",
                  None if status in (b"200", b"429", b"503") else f"status {status!r}")


KINDS = ["urgent"] * 15 + ["patient"] + ["malformed", "vanishing", "slow_writer", "slow_reader"]


CLIENTS = 4


def rate(ends):
    """Requests a second, by the times at which they ended: from when the first of all clients' were through."""
    ends = sorted(ends)
    return (len(ends) - CLIENTS) / max(ends[-1] - ends[CLIENTS - 1], 1e-9)


def run_rank(rsd, requests, options):
    """The rankings of `rsd rank`, and its rate without the time to load."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(one) + "\n" for one in requests))
        file.flush()
        with subprocess.Popen([rsd, "rank", "--requests", file.name, *map(str, options)],
                              stdout=subprocess.PIPE) as process:
            lines = [(json.loads(line), time.monotonic()) for line in process.stdout]
        assert process.returncode == 0, process.returncode
    return {answer["id"]: answer["ranking"] for answer, _ in lines}, rate([end for _, end in lines])


def overhead(server, requests):
    """(milliseconds of a request, milliseconds of it that are not the LLM's or the agent's)"""
    def sums():
        phases = [server.metric(f'rsd_phase_seconds_sum{{phase="{p}"}}')
                  for p in ("prefill", "decode", "agent")]
        name = 'rsd_http_request_seconds_{}{{route="/v1/rank"}}'
        return [server.metric(name.format("count")) or 0, server.metric(name.format("sum")) or 0,
                sum(phases)]
    before = sums()
    for one in requests:
        server.post("/v1/rank", one)
    count, http, llm = (b - a for a, b in zip(before, sums()))
    return http / count * 1000, (http - llm) / count * 1000


def closed_loop(server, requests):
    """The rate of clients that ask as soon as they are answered."""
    def send(one):
        assert server.post("/v1/rank", one).status == 200
        return time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return rate(list(pool.map(send, requests)))


def mixed_load(load, rate, seconds):
    """Arrivals at random, `rate` a second on average; gives the memory, sampled every second."""
    chance = random.Random(2)
    memory, threads, start, number = [], [], time.monotonic(), 0
    due = start
    while due < start + seconds:
        time.sleep(max(0, due - time.monotonic()))
        thread = threading.Thread(target=load.send, args=(chance.choice(KINDS), number))
        thread.start()
        threads.append(thread)
        if len(threads) % 100 == 0:
            threads = [one for one in threads if one.is_alive()]
        number += 1
        due += chance.expovariate(rate)
        if time.monotonic() - start > len(memory):
            memory.append(load.server.memory_kib())
    for thread in threads:
        thread.join()
    memory.append(load.server.memory_kib())
    return memory


def memory_growth(memory):
    """From the end of the first third, when everything is warm, to the end."""
    third, tenth = len(memory) // 3, max(1, len(memory) // 10)
    return statistics.median(memory[-tenth:]) / statistics.median(memory[third:third + tenth]) - 1


def measure(arguments):
    requests = (read_requests(arguments.requests, arguments.limit) if arguments.requests
                else made_up_requests())
    engine = ["-t", arguments.threads, "--decoder", "rsd", "--budget", 3, "--cache-ram", 0]
    engine += ["--model", arguments.model] if arguments.model else []
    with Server(arguments.rsd, *engine, "--parallel", 4, "--queue", 64, "--log-level", "warning",
                "--connections", 512, "--request-timeout", 10) as server:
        closed_loop(server, requests)  # warm
        request_ms, overhead_ms = overhead(server, requests)
        rates = []  # of the server and of `rsd rank`, in turn, while the other one is idle
        for _ in range(arguments.rounds):
            server_rate = closed_loop(server, requests)
            expected, rank_rate = run_rank(arguments.rsd, requests, [*engine, "--parallel", CLIENTS])
            rates.append((server_rate, rank_rate))
        server_rate = statistics.median(one for one, _ in rates)
        deadline_ms = arguments.deadline_ms or max(200.0, 6 * request_ms)
        load = Load(server, requests, expected, deadline_ms)
        arrivals = min(2 * server_rate, MAX_RATE)
        memory = mixed_load(load, arrivals, arguments.seconds)
        refused, cancelled = server.metric('rsd_refused_total{reason="queue_full"}'), \
            server.metric("rsd_cancelled_total")
        exit_code = server.stop()
        log = server.log()
    return load, {
        "requests_a_second": {"server_4_clients": server_rate,
                              "rsd_rank_parallel_4": statistics.median(one for _, one in rates),
                              "ratio": statistics.median(one / other for one, other in rates),
                              "rounds": rates},
        "request_ms": request_ms, "overhead_ms": overhead_ms,
        "overhead_share": overhead_ms / request_ms,
        "load": {"seconds": arguments.seconds, "rate": arrivals, "deadline_ms": deadline_ms,
                 "counts": dict(sorted(load.counts.items())), "faults": load.faults[:20],
                 "p50_ms": quantile(load.latencies, 0.5), "p99_ms": quantile(load.latencies, 0.99),
                 "agreement_with_rsd_rank": statistics.mean(load.agreement or [1.0]),
                 "refused": refused, "cancelled": cancelled},
        "memory_mib": {"first": memory[0] / 1024, "last": memory[-1] / 1024,
                       "growth": memory_growth(memory)},
        "exit_code": exit_code, "log": log[-2000:]}


def broken_promises(result, with_times):
    load = result["load"]
    if load["faults"]:
        yield f"{len(load['faults'])} requests or more went wrong: {load['faults'][0]}"
    if result["exit_code"] != 0:
        yield f"the server exited with {result['exit_code']}"
    if load["counts"].get("vanishing", 0) >= 20 and not load["cancelled"]:
        yield "clients hung up, and no request was cancelled"
    if load["agreement_with_rsd_rank"] < 0.95:
        yield "the answers are not those of rsd rank"
    if not with_times:
        return
    if not load["p99_ms"] <= 1.1 * load["deadline_ms"]:
        yield f"p99 is {load['p99_ms']:.0f} ms, the deadline {load['deadline_ms']:.0f} ms"
    if result["memory_mib"]["growth"] > 0.02:
        yield f"memory has grown by {result['memory_mib']['growth']:.1%}"
    if result["overhead_share"] > 0.01:
        yield f"{result['overhead_share']:.1%} of a request are overhead"
    if result["requests_a_second"]["ratio"] < 1:
        yield f"four clients get {result['requests_a_second']['ratio']:.2f} of what rsd rank gets done"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rsd")
    parser.add_argument("--model", help="GGUF; without it the default model")
    parser.add_argument("--requests", help="request lines; without it made-up ones")
    parser.add_argument("--limit", type=int, default=60, help="of the requests in the file")
    parser.add_argument("--rounds", type=int, default=3, help="of the server's rate and rsd rank's, in turn")
    parser.add_argument("--seconds", type=float, default=60, help="of the mixed load")
    parser.add_argument("--deadline-ms", type=float, help="without it six times a request's time")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-times", action="store_true")
    parser.add_argument("--out", help="file for the figures")
    arguments = parser.parse_args()
    _, result = measure(arguments)
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.out:
        pathlib.Path(arguments.out).write_text(text + "\n", encoding="utf-8")
    broken = list(broken_promises(result, not arguments.no_times))
    for promise in broken:
        print("broken:", promise, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
