"""A real `rsd serve` for tests and benchmarks: starts on a free port, is stopped by its id."""

import http.client
import json
import pathlib
import signal
import subprocess
import tempfile
import time


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Server:
    """`with Server(rsd, "--queue", 4) as server:`; what it logs goes to server.log()."""

    def __init__(self, rsd, *options, env=None):
        self._folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self._folder.name)
        self._port_file = folder / "port"
        self._log_file = folder / "log"
        command = [rsd, "serve", "--port", "0", "--port-file", self._port_file, *options]
        with self._log_file.open("wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def __enter__(self):
        self.wait_until_ready()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._folder.cleanup()

    def log(self):
        return self._log_file.read_text(encoding="utf-8", errors="replace")

    def wait_for_port(self, seconds=120):
        end = time.monotonic() + seconds
        while not self._port_file.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("rsd serve did not start:\n" + self.log())
            time.sleep(0.01)
        self.port = int(self._port_file.read_text())
        return self.port

    def wait_until_ready(self, seconds=300):
        self.wait_for_port()
        end = time.monotonic() + seconds
        while self.get("/ready").status != 200:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("rsd serve did not get ready:\n" + self.log())
            time.sleep(0.02)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def connection(self, timeout=120):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def call(self, method, path, body=None, headers=None):
        connection = self.connection()
        try:
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            connection.request(method, path, body, headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.call("GET", path, headers=headers)

    def post(self, path, body, headers=None):
        return self.call("POST", path, body, headers)

    def metric(self, name):
        """The value of a metric without labels, or with the labels as they are written."""
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return None

    def stop(self, seconds=120):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def memory_kib(self):
        """Resident set size."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines()
                    if line.startswith("VmRSS:"))
