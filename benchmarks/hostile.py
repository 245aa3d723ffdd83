"""What `rsd serve` withstands: hostile clients, and what others notice of them.

Usage: hostile.py RSD [--model GGUF] [--case NAME ...] [--seconds N] [--scale N]

Prints a table, a line a case. --scale multiplies the sizes (1 = those of the review that the cases come from, 2 is the
default):

  json       bodies of {"user": [{},{},...]}: how long each takes to be answered
  memory     many bodies of 4 MB of [0,0,...] at a time, and answers with all rounds: the largest resident size
  work       endless long requests on one side, requests of two documents on the other: how long these take, and
             whether one with a deadline of 500 ms is ranked; with one place for requests and with four
  windows    a list of 1,000 documents in windows of two
  doormen    silent connections, and clients that send their request byte by byte: when others are answered
  no-memory  a process that may not have more than 1.1 GB: large bodies at a time (needs `prlimit`)

Beside the times stands the processor time that the server took meanwhile, which is what the times would be at the most
on a machine that does nothing else.

It measures; the promises are held by the tests. Needs nothing but Python and RSD. Everything runs on loopback.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import socket
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from rsd_server import Server  # noqa: E402

JSON = {"Content-Type": "application/json"}
WORDS = "amber brick cloud delta ember frost grain honey ivory jelly koala lemon".split()
TWO = json.dumps({"query": "honey", "documents": ["amber brick", "grain and honey"]})


class Table:
    """A line of it is printed as soon as it is known."""

    def __init__(self):
        print("| case | | measured |\n|-|-|-|", flush=True)

    def line(self, case, what, measured):
        print(f"| {case} | {what} | {measured} |", flush=True)


def seconds_of(work):
    start = time.monotonic()
    result = work()
    return time.monotonic() - start, result


def quantiles(times):
    """Of seconds, in words."""
    ordered = sorted(times)

    def at(share):
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return (f"n = {len(ordered)}, median {at(0.5):.3f} s, p99 {at(0.99):.3f} s, "
            f"longest {ordered[-1]:.3f} s")


def post(server, body, path="/v1/rerank", timeout=600):
    """Status and body; 0 where the connection broke."""
    connection = server.connection(timeout=timeout)
    try:
        connection.request("POST", path, body, JSON)
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def counted(statuses):
    return ", ".join(f"{statuses.count(status)} x {status or 'broken off'}"
                     for status in sorted(set(statuses)))


def text(n_bytes, seed=0):
    chance = random.Random(seed)
    words = []
    size = 0
    while size < n_bytes:
        words.append(chance.choice(WORDS))
        size += len(words[-1]) + 1
    return " ".join(words)[:n_bytes]


class Peak(threading.Thread):
    """The server's largest resident size while it runs, in MiB."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.first = server.memory_kib() / 1024
        self.mib = self.first
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.wait(0.01):
            try:
                self.mib = max(self.mib, self.server.memory_kib() / 1024)
            except (OSError, StopIteration):
                return


# ---- Cases -------------------------------------------------------------------------------------


def json_case(start, table, options):
    with start() as server:
        for kilobytes in (240, 480, 4000):
            n_bytes = options.scale * kilobytes * 1000
            head = '{"query":"a","documents":["x"],"user":['
            body = head + ",".join(["{}"] * ((n_bytes - len(head)) // 3)) + "]}"
            seconds, (status, _) = seconds_of(lambda: post(server, body))  # noqa: B023
            table.line("json", f"{len(body) / 1e6:.2f} MB of {{}}", f"{seconds:.3f} s, {status}")


def user_body():
    """A body whose JSON takes far more memory than its 4.2 MB: a list in a field that is ignored."""
    return '{"query":"a","documents":["x"],"user":[' + ",".join(["0"] * 2_090_000) + "]}"


def memory_case(start, table, options):
    n_bodies = 32 * options.scale
    body = user_body()
    with start() as server, Peak(server) as peak:
        with concurrent.futures.ThreadPoolExecutor(n_bodies + 1) as pool:
            answers = [pool.submit(post, server, body) for _ in range(n_bodies)]
            health = seconds_of(lambda: server.get("/health").status)
            statuses = [answer.result()[0] for answer in answers]
        table.line("memory", f"{n_bodies} bodies of {len(body) / 1e6:.1f} MB of [0,0,...]",
                   f"{peak.first:.0f} MiB before, {peak.mib:.0f} at most; {counted(statuses)}; "
                   f"/health {health[0]:.3f} s")
    requests = [{"id": str(i), "query": "honey",
                 "candidates": [{"id": str(j), "text": "x"} for j in range(60 * options.scale)]}
                for i in range(20)]
    body = json.dumps({"decoder": "exact", "rounds": True, "requests": requests})
    with start() as server, Peak(server) as peak:
        status, answer = post(server, body, "/v1/rank")
        table.line("memory", f"rounds of {len(body) / 1e3:.0f} KB",
                   f"{peak.first:.0f} MiB before, {peak.mib:.0f} at most; {status}, "
                   f"{len(answer) / 1e6:.1f} MB of answer")


def long_body(options, seed):
    """20 documents, which fill the context."""
    n_bytes = 50_000 * options.scale
    return json.dumps({"query": f"honey {seed}",
                       "documents": [text(n_bytes // 20, 100 * seed + i) for i in range(20)]})


class Endless:
    """Clients that post one long request after the other."""

    def __init__(self, server, bodies):
        self.over = threading.Event()
        self.answered = 0
        self.threads = [threading.Thread(target=self.run, args=(server, body), daemon=True)
                        for body in bodies]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()

    def run(self, server, body):
        while not self.over.is_set():
            if post(server, body)[0] == 200:
                self.answered += 1


def cpu_seconds(server):
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def short_beside(server, seconds, **more):
    """Requests of two documents, one after the other, with short pauses: for each the time, the server's processor time,
    and its encodings."""
    asked = []
    chance = random.Random(2)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        body = json.dumps({"query": f"honey {len(asked)}", "documents": ["amber", "grain honey"],
                           **more})
        cpu = cpu_seconds(server)
        taken, (status, answer) = seconds_of(lambda: post(server, body))  # noqa: B023
        if status != 200:
            raise RuntimeError(f"a short request was answered with {status}")
        asked.append((taken, cpu_seconds(server) - cpu, json.loads(answer)["usage"]["encodings"]))
        time.sleep(chance.uniform(0, 0.2))
    return asked


def shown(asked):
    return f"{quantiles([a[0] for a in asked])}; processor: {quantiles([a[1] for a in asked])}"


def work_case(start, table, options):
    for parallel in (1, 4):
        with start("--parallel", parallel, "--cache-ram", 0) as server:
            name = f"work, --parallel {parallel}"
            table.line(name, "two documents alone", shown(short_beside(server, 3)))
            seconds, (status, _) = seconds_of(lambda: post(server, long_body(options, 0)))
            table.line(name, f"one request of {50 * options.scale} KB alone",
                       f"{seconds:.2f} s, {status}")
            bodies = [long_body(options, seed) for seed in range(1, 9)]
            with Endless(server, bodies) as endless:
                time.sleep(2)
                asked = short_beside(server, options.seconds)
                table.line(name, "two documents beside 8 endless long requests", shown(asked))
                asked = short_beside(server, options.seconds / 2, deadline_ms=500)
                n_ranked = sum(encodings > 0 for _, _, encodings in asked)
                table.line(name, "with deadline_ms 500 beside them",
                           f"{n_ranked} of {len(asked)} ranked; {shown(asked)}")
                answered = endless.answered
            table.line(name, "long requests answered meanwhile", answered)
            server.process.kill()


def windows_case(start, table, options):
    body = json.dumps({"query": "honey", "documents": [f"{text(20, i)} {i}" for i in range(1000)],
                       "window": 2, "stride": 1, "window_method": "sliding"})
    for limit in ((), ("--max-tokens-per-request", 2000)):
        with start("--parallel", 1, *limit) as server:
            with Endless(server, [body]):
                time.sleep(1)
                if limit:
                    status, answer = post(server, body)
                    message = json.loads(answer)["message"]
                    table.line("windows", " ".join(map(str, limit)), f"{status}: {message}")
                else:
                    table.line("windows", "two documents beside 1,000 in windows of two",
                               shown(short_beside(server, options.seconds / 2)))
            server.process.kill()


def drip(port, stop, n_clients):
    """Sends a request byte by byte on so many connections."""
    head = (b"POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100000\r\n\r\n")
    clients = []
    for _ in range(n_clients):
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
            client.sendall(head)
            clients.append(client)
        except OSError:
            break
    while not stop.wait(1):
        for client in clients:
            try:
                client.send(b" ")
            except OSError:
                pass
    for client in clients:
        client.close()


def doormen_case(start, table, options):
    n_silent = 25 * options.scale
    with start("--connections", 4) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(n_silent)]
        time.sleep(0.2)
        health = seconds_of(lambda: server.get("/health").status)
        ranked = seconds_of(lambda: post(server, TWO))
        table.line("doormen", f"{n_silent} silent connections, --connections 4",
                   f"/health {health[0]:.3f} s, {health[1]}; "
                   f"two documents {ranked[0]:.3f} s, {ranked[1][0]}")
        for connection in silent:
            connection.close()
    n_slow = 512 * options.scale
    with start() as server:
        stop = threading.Event()
        slow = threading.Thread(target=drip, args=(server.port, stop, n_slow), daemon=True)
        slow.start()
        time.sleep(3)
        health = [seconds_of(lambda: server.get("/health").status)[0] for _ in range(20)]
        ranked = [seconds_of(lambda: post(server, TWO)) for _ in range(20)]
        statuses = [status for _, (status, _) in ranked]
        table.line("doormen", f"{n_slow} slow senders",
                   f"/health {quantiles(health)}; two documents "
                   f"{quantiles([taken for taken, _ in ranked])}, {counted(statuses)}")
        stop.set()
        slow.join()


def no_memory_case(start, table, options):
    if shutil.which("prlimit") is None:
        table.line("no-memory", "prlimit is not there", "not measured")
        return
    n_bodies = 12 * options.scale
    body = user_body()
    with tempfile.TemporaryDirectory() as folder:
        limited = pathlib.Path(folder) / "rsd"
        limited.write_text(f'#!/bin/sh\nexec prlimit --as=1100000000 {options.rsd.resolve()} "$@"\n')
        limited.chmod(0o755)
        with start(rsd=limited) as server:
            with concurrent.futures.ThreadPoolExecutor(n_bodies + 4) as pool:
                large = [pool.submit(post, server, body) for _ in range(n_bodies)]
                small = [pool.submit(post, server, TWO) for _ in range(4)]
                statuses = [answer.result()[0] for answer in large]
                others = [answer.result()[0] for answer in small]
            after = post(server, TWO)[0]
            alive = "lives" if server.process.poll() is None else "is dead"
            table.line("no-memory", f"{n_bodies} bodies of {len(body) / 1e6:.1f} MB, 1.1 GB of space",
                       f"{counted(statuses)}; small ones beside them {counted(others)}, after them "
                       f"{after}; the server {alive}")


CASES = {"json": json_case, "memory": memory_case, "work": work_case, "windows": windows_case,
         "doormen": doormen_case, "no-memory": no_memory_case}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rsd", type=pathlib.Path)
    parser.add_argument("--model", default=ROOT / "tests" / "models" / "tiny-bpe.gguf")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--seconds", type=float, default=60, help="of the cases that wait")
    parser.add_argument("--scale", type=int, default=2)
    options = parser.parse_args()

    def start(*more, rsd=None):
        return Server(rsd or options.rsd, "-m", options.model, "-t", options.threads, *more)

    table = Table()
    for name in options.case or CASES:
        CASES[name](start, table, options)


if __name__ == "__main__":
    main()
