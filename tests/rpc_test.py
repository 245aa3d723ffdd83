"""One model over several machines at the command line: `--rpc` and `rsd rpc-server`.

Usage: rpc_test.py RSD [unittest's arguments]
"""

import contextlib
import json
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from support.processes import RpcServer, free_port, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks" / "remote"))

from counting_proxy import CountingProxy  # noqa: E402

MODEL = str(ROOT / "tests" / "models" / "tiny-bpe.gguf")
EXAMPLES = ROOT / "examples" / "recommendations.jsonl"
RSD = ""

OK, USAGE, MISSING, RUNTIME = 0, 2, 4, 6


def rank(*arguments, requests=EXAMPLES):
    command = [RSD, "rank", "--requests", requests, "-m", MODEL, *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=600)


def rankings(done):
    return [json.loads(line)["ranking"] for line in done.stdout.splitlines()]


class OtherServer:
    """Takes connections and answers them with `answer`, or not at all."""

    def __init__(self, answer):
        self.answer = answer

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self):
        connection, _ = self.socket.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(self.answer)

    def __exit__(self, *_):
        self.thread.join(timeout=30)
        self.socket.close()


HELLO = bytes([14]) + struct.pack("<Q", 24) + bytes(24)
# ggml reserves memory of that size, and ends in an exception that nobody catches.
DEADLY = bytes([6]) + struct.pack("<Q", 2**64 - 1)


class RawClient:
    """Speaks to an RPC server by hand."""

    def __init__(self, server, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def greet(self):
        return self.ask(HELLO, 8 + 28)

    def ask(self, message, n_bytes):
        """The answer of so many bytes, which may come in pieces."""
        self.socket.sendall(message)
        answer = b""
        while len(answer) < n_bytes:
            block = self.socket.recv(n_bytes - len(answer))
            assert block, "closed"
            answer += block
        return answer

    def is_closed(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def workers_of(server):
    children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def worker_of(server):
    """Its one worker, once that is started: the server listens before."""
    wait_until(lambda: len(workers_of(server)) == 1)
    return workers_of(server)[0]


def processor_seconds(process):
    """The processor time that a process has used."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Rpc(unittest.TestCase):
    def test_two_servers_rank_as_this_machine_alone_does(self):
        here = rank("--decoder", "exact")
        with RpcServer(RSD) as one, RpcServer(RSD) as other:
            there = rank("--decoder", "exact", "--rpc", f"{one.address},{other.address}",
                         "--log-level", "debug")
        self.assertEqual(there.returncode, OK, there.stderr)
        self.assertEqual(rankings(there), rankings(here))
        for server in (one, other):
            self.assertRegex(there.stderr, rf"\[{server.address}\] model buffer size")

    def test_the_proof_of_the_benchmarks_holds_on_a_tiny_model(self):
        command = [sys.executable, ROOT / "benchmarks" / "remote" / "rpc.py", "--rsd", RSD, "--model",
                   MODEL, "--requests", EXAMPLES, "--limit", "2", "--at-least", "1"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, OK, done.stdout + done.stderr)
        for decoder in ("exact", "rsd"):
            self.assertRegex(done.stdout, rf"\| {decoder} \| 2 \| 1.0000 \| 2 of 2 \|")

    def test_a_tensor_split_says_whose_the_layers_are(self):
        here = rank("--decoder", "exact")
        with RpcServer(RSD) as one, RpcServer(RSD) as other:
            for split, idle, busy in (("1,0", other, one), ("0,2.5", one, other)):
                there = rank("--decoder", "exact", "--rpc", f"{one.address},{other.address}",
                             "--tensor-split", split, "--log-level", "debug")
                self.assertEqual(there.returncode, OK, there.stderr)
                self.assertEqual(rankings(there), rankings(here))
                self.assertRegex(there.stderr, rf"\[{busy.address}\] model buffer size")
                self.assertNotRegex(there.stderr, rf"\[{idle.address}\] model buffer size")

    def test_a_tensor_split_that_is_none_is_refused_with_what_it_must_be(self):
        servers = ["--rpc", "localhost:1,localhost:2"]
        for split, why in (("1", "tensor-split has 1 shares; there must be as many as RPC servers, 2"),
                           ("1,2,3", "tensor-split has 3 shares"),
                           ("0,0", "tensor-split has shares of 0 only"),
                           ("1,-1", '--tensor-split: must be a number from 0 to 1e+09, not "-1"'),
                           ("1,x", '--tensor-split: must be a number from 0 to 1e+09, not "x"'),
                           ("nan,1", '--tensor-split: must be a number')):
            done = rank(*servers, "--tensor-split", split)
            self.assertEqual(done.returncode, USAGE, split)
            self.assertIn(why, done.stderr)

    def test_a_tensor_split_is_for_rpc(self):
        for arguments in ([], ["--engine", "vllm", "--engine-url", "http://localhost:1"]):
            done = rank("--tensor-split", "1,1", *arguments)
            self.assertEqual(done.returncode, USAGE)
            self.assertIn("--tensor-split is for --rpc", done.stderr)

    def test_a_server_takes_the_next_client_when_one_is_done(self):
        with RpcServer(RSD) as server:
            first = rank("--rpc", server.address)
            second = rank("--rpc", server.address)
        self.assertEqual(second.returncode, OK, second.stderr)
        self.assertEqual(rankings(second), rankings(first))

    def test_prompts_are_fetched_and_kept_only_where_that_is_asked_for(self):
        back = []
        with RpcServer(RSD) as server:
            for arguments in ([], ["--cache-ram", "0"], ["--cache-ram", "16"]):
                with CountingProxy(server.port) as proxy:
                    done = rank("--rpc", f"127.0.0.1:{proxy.port}", *arguments)
                    self.assertEqual(done.returncode, OK, done.stderr)
                    back.append(proxy.n_bytes()[1])
        self.assertEqual(back[0], back[1])
        self.assertGreater(back[2], back[0])

    def test_a_server_that_is_not_there_is_named(self):
        address = f"127.0.0.1:{free_port()}"
        done = rank("--rpc", address)
        self.assertEqual(done.returncode, RUNTIME)
        self.assertIn(f"RPC server {address}: no connection", done.stderr)

    def test_another_server_behind_the_address_is_no_crash(self):
        for answer in (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b""):
            with OtherServer(answer) as address:
                done = rank("--rpc", address)
            self.assertEqual(done.returncode, RUNTIME)
            self.assertIn(address, done.stderr)
            self.assertIn("something else listens there", done.stderr)

    def test_a_server_of_another_version_is_refused_with_its_version(self):
        size_of_the_answer = (28).to_bytes(8, "little")
        with OtherServer(size_of_the_answer + bytes([99, 1, 0, 0]) + bytes(24)) as address:
            done = rank("--rpc", address)
        self.assertEqual(done.returncode, RUNTIME)
        self.assertIn("speaks version 99.1.0", done.stderr)

    def test_a_server_that_dies_ends_the_program_with_its_address_and_the_code_of_failures(self):
        with RpcServer(RSD) as lives, RpcServer(RSD) as dies:
            command = [RSD, "rank", "--requests", "-", "-m", MODEL, "--rpc",
                       f"{lives.address},{dies.address}"]
            running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            first, *others = EXAMPLES.read_text().splitlines(keepends=True)
            running.stdin.write(first)
            running.stdin.flush()
            self.assertIn("ranking", running.stdout.readline())  # so it has what it needs
            dies.process.kill()
            dies.process.wait(timeout=30)
            _, errors = running.communicate("".join(others), timeout=60)
        self.assertEqual(running.returncode, RUNTIME, errors)
        self.assertIn(f"lost RPC server {dies.address}: ", errors)
        self.assertNotIn(lives.address, errors)
        self.assertNotIn("already", errors)

    def test_a_server_that_is_busy_is_named_and_not_waited_for(self):
        with RpcServer(RSD) as server:
            command = [RSD, "rank", "--requests", "-", "-m", MODEL, "--rpc", server.address]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True) as holder:
                holder.stdin.write(EXAMPLES.read_text().splitlines(keepends=True)[0])
                holder.stdin.flush()
                self.assertIn("ranking", holder.stdout.readline())
                done = rank("--rpc", server.address)
                holder.communicate("", timeout=60)
        self.assertEqual(done.returncode, RUNTIME)
        self.assertIn(f"RPC server {server.address}: no answer; is it busy", done.stderr)

    def test_a_message_that_ends_the_worker_costs_its_sender_and_nobody_else(self):
        here = rank("--decoder", "exact")
        with RpcServer(RSD) as server:
            for _ in range(2):
                before = [worker_of(server)]
                with RawClient(server) as evil:
                    evil.greet()
                    evil.socket.sendall(DEADLY)
                    self.assertTrue(evil.is_closed())
                wait_until(lambda: workers_of(server) not in ([], before))
                there = rank("--decoder", "exact", "--rpc", server.address)
                self.assertEqual(there.returncode, OK, there.stderr)
                self.assertEqual(rankings(there), rankings(here))
            self.assertRegex(server.log(), r"the worker has ended \(.*\); another starts in \d+ ms")

    def test_a_worker_that_dies_between_clients_is_replaced(self):
        with RpcServer(RSD) as server:
            worker = worker_of(server)
            os.kill(worker, signal.SIGKILL)
            done = rank("--rpc", server.address)
            self.assertEqual(done.returncode, OK, done.stderr)
            self.assertNotEqual(workers_of(server), [worker])

    def test_who_sends_no_greeting_holds_nobody_up_and_is_given_up(self):
        with RpcServer(RSD) as server, RawClient(server) as silent, RawClient(server) as slow:
            slow.socket.sendall(HELLO[:20])
            done = rank("--rpc", server.address)
            self.assertEqual(done.returncode, OK, done.stderr)
            self.assertTrue(silent.is_closed())
            self.assertTrue(slow.is_closed())
            self.assertIn("sent no greeting", server.log())

    def test_an_idle_client_is_given_up_where_that_is_asked_for(self):
        with RpcServer(RSD, "--idle-timeout", "1") as server, RawClient(server) as idle:
            idle.greet()
            with RawClient(server) as next_one:
                next_one.greet()  # which waits for it
            self.assertTrue(idle.is_closed())
            self.assertIn("--idle-timeout", server.log())

    def test_only_so_many_may_wait(self):
        with RpcServer(RSD, "--waiting", "2") as server, RawClient(server) as served:
            served.greet()
            with RawClient(server), RawClient(server):
                wait_until(lambda: self.is_turned_away(server))
                self.assertIn("turned away: 2 are waiting", server.log())
            served.ask(bytes([15]) + struct.pack("<Q", 0), 8 + 4)  # how many devices?

    def assert_rests(self, server, seconds=2):
        """A loop without a pause would take the whole time."""
        before = processor_seconds(server.process)
        time.sleep(seconds)
        self.assertLess(processor_seconds(server.process) - before, seconds / 4)

    def test_a_client_that_waits_takes_no_processor_time(self):
        with RpcServer(RSD) as server, RawClient(server) as served, RawClient(server) as waits:
            served.greet()
            waits.socket.sendall(HELLO + b"more")
            waits.socket.shutdown(socket.SHUT_WR)
            self.assert_rests(server)

    def test_clients_that_can_not_be_accepted_take_no_processor_time(self):
        with RpcServer(RSD, "--waiting", "1000") as server, contextlib.ExitStack() as clients:
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (16, 16))
            waiting = [clients.enter_context(RawClient(server)) for _ in range(32)]
            for client in waiting:
                client.socket.sendall(HELLO)
            wait_until(lambda: "no client can be accepted: " in server.log())
            self.assert_rests(server)
            for client in waiting[1:]:
                client.socket.close()
            self.assertTrue(waiting[0].socket.recv(1), "the first is served once there is room")

    def is_turned_away(self, server):
        with RawClient(server, timeout=1) as one:
            try:
                return one.is_closed()
            except TimeoutError:
                return False

    def test_signals_end_server_and_worker(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with RpcServer(RSD) as server, RawClient(server) as client:
                client.greet()
                worker = worker_of(server)
                server.process.send_signal(number)
                self.assertEqual(server.process.wait(timeout=30), OK)
                self.assertFalse(is_running(worker))
                self.assertTrue(client.is_closed())

    def test_a_server_that_is_killed_leaves_no_worker(self):
        with RpcServer(RSD) as server:
            worker = worker_of(server)
            server.process.kill()
            server.process.wait()
            wait_until(lambda: not is_running(worker))

    def test_a_setup_that_can_not_work_ends_it(self):
        done = subprocess.run([RSD, "rpc-server", "--port", str(free_port()), "--cache",
                               "/nowhere/at/all"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, MISSING)
        self.assertIn("/nowhere/at/all is no folder", done.stderr)

    def test_the_oldest_tensors_leave_a_cache_that_is_too_large(self):
        with tempfile.TemporaryDirectory() as folder:
            cache = pathlib.Path(folder)
            for age, name in enumerate(["00000000000000aa", "00000000000000bb", "notes.txt",
                                        "00000000000000cc"]):
                (cache / name).write_bytes(bytes(1 << 20))
                os.utime(cache / name, (1000 - age, 1000 - age))
            with RpcServer(RSD, "--cache", folder, "--cache-limit", "2") as server:
                wait_until(lambda: "were removed" in server.log())
                self.assertEqual({path.name for path in cache.iterdir()},
                                 {"00000000000000aa", "00000000000000bb", "notes.txt"})
                with RawClient(server) as client:
                    client.greet()
                    (cache / "00000000000000dd").write_bytes(bytes(1 << 20))
                wait_until(lambda: not (cache / "00000000000000bb").exists())
                self.assertTrue((cache / "00000000000000dd").exists())

    def test_two_engines_of_a_process_share_a_server(self):
        with RpcServer(RSD) as server, tempfile.TemporaryDirectory() as folder:
            command = [RSD, "bench", "--requests", EXAMPLES, "--limit", "1", "-m", MODEL, "--rpc",
                       server.address, "--out", folder + "/bench"]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                                  timeout=600)
        self.assertEqual(done.returncode, OK, done.stderr)

    def test_only_the_identifiers_rows_of_the_head_are_computed(self):
        with RpcServer(RSD) as server:
            command = [RSD, "model", "inspect", "-m", MODEL, "--rpc", server.address]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        self.assertIn("output head: identifiers only", done.stdout)

    def test_addresses_are_checked(self):
        for address, why in (("localhost", "HOST:PORT"), ("localhost:0", "1 to 65535"),
                             (":7", "HOST:PORT"), ("a:1,a:1", "named twice")):
            done = rank("--rpc", address)
            self.assertEqual(done.returncode, USAGE, address)
            self.assertIn(why, done.stderr)

    def test_it_is_for_local_engines(self):
        done = rank("--rpc", "localhost:1", "--engine", "vllm", "--engine-url", "http://localhost:1")
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("--rpc is for --engine llama", done.stderr)

    def test_a_port_that_is_taken_ends_the_server_with_a_message(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            done = subprocess.run([RSD, "rpc-server", "--port", port], capture_output=True,
                                  text=True, timeout=60)
        self.assertEqual(done.returncode, RUNTIME)
        self.assertIn(f"127.0.0.1:{port}", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_a_server_listens_at_an_address(self):
        done = subprocess.run([RSD, "rpc-server", "--host", "localhost"], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("no IPv4 address", done.stderr)


if __name__ == "__main__":
    RSD = sys.argv.pop(1)
    unittest.main()
