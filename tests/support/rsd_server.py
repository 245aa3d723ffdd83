"""A real `rsd serve` for tests and benchmarks: starts on a free port, is stopped by its id."""

import http.client
import json
import pathlib
import signal
import socket
import ssl
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


class UnixConnection(http.client.HTTPConnection):
    """Over a Unix socket; the Host that it names is no address."""

    def __init__(self, path, timeout=120):
        super().__init__("rank.example", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Server:
    """`with Server(rsd, "--queue", 4) as server:`; what it logs goes to server.log().

    Listens on the path `unix_socket` where there is one. `ca` is the file of the certificate that a
    server with --tls-cert is trusted by."""

    def __init__(self, rsd, *options, env=None, unix_socket=None, ca=None):
        self._unix_socket = unix_socket
        self.ca = ca
        self._folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self._folder.name)
        self._port_file = folder / "port"
        self._log_file = folder / "log"
        address = (["--unix-socket", unix_socket] if unix_socket else
                   ["--port", "0", "--port-file", self._port_file])
        command = [rsd, "serve", *address, *options]
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

    def wait_for_log(self, words, seconds=120):
        """Until it has logged that."""
        self._wait_for(lambda: words in self.log(), f"log {words!r}", seconds)

    def _wait_for(self, condition, what, seconds):
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"rsd serve did not {what}:\n" + self.log())
            time.sleep(0.01)

    def wait_for_port(self, seconds=120):
        self._wait_for(lambda: "listening on" in self.log() if self._unix_socket
                       else self._port_file.exists(), "start", seconds)
        self.port = None if self._unix_socket else int(self._port_file.read_text())
        return self.port

    def wait_until_ready(self, seconds=300):
        self.wait_for_port()
        self._wait_for(lambda: self.get("/ready").status == 200, "get ready", seconds)

    @property
    def url(self):
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.port}"

    def connection(self, timeout=120):
        if self._unix_socket:
            return UnixConnection(self._unix_socket, timeout)
        if self.ca:
            trust = ssl.create_default_context(cafile=self.ca)
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                               context=trust)
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

    def reload(self):
        """SIGHUP."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self, seconds=120):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def memory_kib(self):
        """Resident set size."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines()
                    if line.startswith("VmRSS:"))
