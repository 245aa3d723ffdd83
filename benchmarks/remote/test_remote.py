"""The counting proxy, and starting and stopping a server, with fake servers."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import socket
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import rpc
import vllm_cpu
from counting_proxy import CountingProxy

HEALTHY = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def echo_server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Proxy(unittest.TestCase):
    def test_counts_each_exchange_of_all_connections(self):
        with echo_server() as port, CountingProxy(port) as proxy:
            for paths in (["/a", "/b"], ["/b", "/b"]):
                connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
                for n, path in enumerate(paths):
                    body = bytes(1_000_000 * (n + 1))
                    connection.request("POST", path, body)
                    self.assertEqual(connection.getresponse().read(), body)
                connection.close()
        self.assertEqual([e.path for e in proxy.exchanges], ["/a", "/b", "/b", "/b"])
        for exchange, megabytes in zip(proxy.exchanges, [1, 2, 1, 2]):
            for n_bytes in (exchange.sent, exchange.received):
                self.assertGreater(n_bytes, megabytes * 1_000_000)
                self.assertLess(n_bytes, megabytes * 1_000_000 + 500, "headers")
        self.assertEqual(proxy.rounds(), proxy.exchanges[2:], "the first of a path is a try")

    def test_a_server_that_is_gone_ends_the_connection(self):
        with CountingProxy(vllm_cpu.free_port()) as proxy:
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
            with self.assertRaises((OSError, http.client.HTTPException)):
                connection.request("POST", "/a", b"x")
                connection.getresponse()
        self.assertEqual(proxy.rounds(), [])

    def test_counts_what_is_not_http_and_lets_the_server_see_the_end_of_a_connection(self):
        with socket.create_server(("127.0.0.1", 0)) as server, \
                CountingProxy(server.getsockname()[1]) as proxy:
            for size in (3, 5):
                with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                    client.sendall(bytes(size))
                    connection, _ = server.accept()
                    with connection:
                        connection.settimeout(30)
                        self.assertEqual(len(connection.recv(size)), size)
                        connection.sendall(bytes(2 * size))
                        self.assertEqual(len(client.recv(2 * size, socket.MSG_WAITALL)), 2 * size)
                        client.close()
                        self.assertEqual(connection.recv(1), b"")
        self.assertEqual(proxy.n_bytes(), (8, 16))


class Rpc(unittest.TestCase):
    def test_agreement_and_bytes_are_of_each_request(self):
        def answer(name, ranking, encodings, total):
            return {"id": name, "ranking": ranking, "encodings": encodings,
                    "timing_ms": {"total": total}}

        here = [answer("r1", ["a", "b", "c"], 3, 10), answer("r2", ["a", "b", "c"], 2, 20)]
        there = [answer("r1", ["a", "b", "c"], 3, 30), answer("r2", ["c", "b", "a"], 4, 50)]
        counted = [(there[0], (6000, 3000)), (answer("r2", ["a"], 2, 99), (4000, 1000))]
        lines, figures = rpc.compare(here, there, counted)
        self.assertIn("r1: the same ranking, tau 1.0000, 10 ms here, 30 ms by RPC", lines[0])
        self.assertIn("r2: another ranking, tau -1.0000", lines[1])
        self.assertEqual(rpc.row("rsd", figures),
                         ["rsd", "2", "0.0000", "1 of 2", "3.5", "15", "40", "2", "1"])


class Server(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = Path(folder.name) / "log"

    def running(self, program, seconds=60.0):
        port = vllm_cpu.free_port()
        command = [sys.executable, "-c", program, str(port)]
        return vllm_cpu.running(command, port, self.log, seconds, {"GREETING": "hello"})

    def test_is_stopped_with_the_processes_that_it_started(self):
        child = "import os, subprocess\n" + \
                "print(subprocess.Popen(['sleep', '600']).pid, os.environ['GREETING'], flush=True)\n"
        with self.assertRaises(KeyboardInterrupt), self.running(child + HEALTHY):
            pid, greeting = self.log.read_text().splitlines()[0].split()
            os.kill(int(pid), 0)
            raise KeyboardInterrupt
        self.assertEqual(greeting, "hello")
        self.assertTrue(gone(int(pid)))

    def test_one_that_ends_says_why(self):
        with self.assertRaises(SystemExit) as ended, self.running("print('no room'); exit(3)"):
            self.fail("it isn't healthy")
        self.assertIn("ended with 3", str(ended.exception))
        self.assertTrue(str(ended.exception).endswith("no room"))

    def test_one_that_never_listens_is_given_up(self):
        waits = "import time; print('loading', flush=True); time.sleep(600)"
        with self.assertRaises(SystemExit) as ended, self.running(waits, seconds=1.0):
            self.fail("it isn't healthy")
        self.assertIn("isn't ready after 1.0 s", str(ended.exception))


def gone(pid, seconds=30):
    """True if the process ends; a zombie counts as ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


if __name__ == "__main__":
    unittest.main()
