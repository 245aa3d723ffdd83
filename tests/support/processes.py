"""Ports and processes that tests and benchmarks start on this machine, and end by their ids."""

import pathlib
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)


class RpcServer:
    """`rsd rpc-server` on a free port, until the end of the `with`."""

    def __init__(self, rsd, *options, threads=1):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._command = [str(rsd), "rpc-server", "--port", str(self.port), "--threads",
                         str(threads), *options]
        self._log = tempfile.NamedTemporaryFile()

    def log(self):
        return pathlib.Path(self._log.name).read_text(encoding="utf-8", errors="replace")

    def __enter__(self):
        self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL,
                                        stdout=self._log, stderr=self._log)
        try:
            wait_until(self._listens)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            assert self.process.poll() is None, "the server is gone"
            return False

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(timeout=30)
        self._log.close()


class FakeEngine:
    """The program rsd_fake_engine until the end of the `with`, which gives its URL."""

    def __init__(self, program, *arguments):
        self._command = [str(program), *map(str, arguments)]

    def __enter__(self):
        self.process = subprocess.Popen(self._command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return f"http://127.0.0.1:{self.port}"

    def kill(self):
        """As if its machine were gone."""
        self.process.kill()
        self.process.wait(timeout=30)

    def __exit__(self, *_):
        self.process.stdin.close()  # which ends it
        self.process.wait(timeout=30)
        self.n_listings = int(self.process.stdout.readline() or 0)
        self.process.stdout.close()
