"""The server as it is deployed: below a prefix, on a Unix socket, with TLS, behind nginx and Caddy.

Usage: deploy_test.py RSD [unittest's arguments]

The files of examples/deploy/ are used as they are, but for addresses and paths. Needs the program
openssl, and nginx, caddy and systemd-analyze for the tests that concern them; without these they are
skipped. Speaks to 127.0.0.1 only.
"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
from urllib.parse import urljoin

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from processes import free_port, wait_until  # noqa: E402
from rsd_server import Reply, Server, UnixConnection  # noqa: E402

MODEL = str(ROOT / "tests" / "models" / "tiny-bpe.gguf")
DEPLOY = ROOT / "examples" / "deploy"
RSD = ""
NAME = "rank.example"
QUESTION = {"query": "amber", "documents": ["amber brick", "cloud delta", "ember frost"]}
JSON = {"Content-Type": "application/json"}
OK, USAGE, MISSING, INVALID, RUNTIME = 0, 2, 4, 5, 6


def serve(*options, **more):
    return Server(RSD, "-m", MODEL, "-t", 1, *options, **more)


def run_serve(*options):
    """A server that should not start."""
    return subprocess.run([RSD, "serve", "-m", MODEL, *map(str, options)], capture_output=True,
                          text=True, timeout=60)


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return found or ""


def needs(name):
    return unittest.skipUnless(program(name), f"not installed: {name}")


class InFolder(unittest.TestCase):
    """Each test has a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.socket = self.folder / "rsd.sock"

    def certificate(self, name="server"):
        """A certificate that signs itself, and its key."""
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
             f"subjectAltName=IP:127.0.0.1,DNS:{NAME}", "-out", paths[0], "-keyout", paths[1]],
            check=True, capture_output=True)
        return paths


# --- Below a prefix ------------------------------------------------------------------------------


class PrefixProxy:
    """Takes /rank off the paths, as a proxy does; everything else is somebody else's site."""

    def __init__(self, port):
        self.strays = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def forward(self):
                if not self.path.startswith("/rank/"):
                    proxy.strays.append(self.path)
                    return self.send_error(404)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                behind = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                with contextlib.closing(behind):
                    behind.request(self.command, self.path.removeprefix("/rank"), body,
                                   dict(self.headers))
                    reply = Reply(behind.getresponse())
                self.send_response(reply.status)
                for name in ("Content-Type", "Content-Security-Policy"):
                    if name in reply.headers:
                        self.send_header(name, reply.headers[name])
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = forward

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def call(self, method, path, body=None, headers=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, 60)) as one:
            one.request(method, path, body, headers or {})
            return Reply(one.getresponse())


def references(path, text):
    """What a file of the page asks the server for."""
    found = re.findall(r"""(?:href|src)="([^"#]+)"|from '([^']+)'|url\(["']?([^"')]+)"""
                       r"""|\bsend\('([^']+)'|\bfetch\('([^']+)'""", text)
    for reference in (next(filter(None, groups)) for groups in found):
        if not reference.startswith(("https://", "data:")):
            yield urljoin(path, reference)


def crawl(test, call, start="/rank/"):
    """Follows the page's references, and its calls of the API; gives what it has seen."""
    seen, new = {}, [start]
    while new:
        path = new.pop()
        if path in seen:
            continue
        test.assertTrue(path.startswith(start), path)
        if path == start + "v1/rank":
            body = {"query": "amber", "candidates": QUESTION["documents"]}
            reply = call("POST", path, json.dumps(body), JSON)
        else:
            reply = call("GET", path)
        test.assertEqual(reply.status, 200, f"{path}: {reply.body[:300]}")
        seen[path] = reply
        if reply.headers["Content-Type"].startswith("text/"):
            new += references(path, reply.body.decode())
    return seen


class Prefix(unittest.TestCase):
    def test_the_page_its_scripts_and_its_calls_stay_below_it(self):
        with serve() as server, PrefixProxy(server.port) as proxy:
            seen = crawl(self, proxy.call)
            self.assertEqual(proxy.strays, [])
        for name in ("", "style.css", "app.js", "dom.js", "icon.svg", "openapi.json", "ready",
                     "v1/models", "v1/rank"):
            self.assertIn("/rank/" + name, seen)


# --- Unix socket ---------------------------------------------------------------------------------


class UnixSocket(InFolder):
    def test_it_answers_and_its_file_goes_with_it(self):
        with serve(unix_socket=self.socket) as server:
            mode = stat.S_IMODE(self.socket.stat().st_mode)
            self.assertEqual(mode, 0o660, oct(mode))
            self.assertEqual(server.post("/v1/rerank", QUESTION, JSON).status, 200)
            self.assertEqual(server.get("/").status, 200)
            self.assertEqual(server.stop(), OK)
            self.assertFalse(self.socket.exists())
            self.assertIn(f"listening on unix:{self.socket}", server.log())
            self.assertIn("unix POST /v1/rerank 200", server.log())

    def test_the_file_of_one_that_was_killed_gives_way(self):
        with serve(unix_socket=self.socket) as killed:
            killed.process.kill()
            killed.process.wait()
        self.assertTrue(self.socket.exists())
        with serve(unix_socket=self.socket) as server:
            self.assertEqual(server.get("/ready").status, 200)

    def test_a_server_that_is_there_is_left_alone(self):
        with serve(unix_socket=self.socket) as first:
            second = run_serve("--unix-socket", self.socket)
            self.assertEqual(second.returncode, RUNTIME, second.stderr)
            self.assertIn(f"can't listen on {self.socket}: another server does", second.stderr)
            self.assertEqual(first.get("/ready").status, 200)

    def test_one_that_is_stopped_while_it_loads_leaves_none(self):
        for _ in range(3):
            server = serve(unix_socket=self.socket)
            with contextlib.ExitStack() as end:
                end.callback(server.__exit__)
                wait_until(self.socket.exists)
                self.assertEqual(server.stop(), OK)
                self.assertFalse(self.socket.exists())

    def test_a_path_that_is_no_place_for_one_is_refused(self):
        self.socket.write_text("a letter")
        refused = run_serve("--unix-socket", self.socket)
        self.assertEqual(refused.returncode, USAGE)
        self.assertIn("is no socket", refused.stderr)
        self.assertEqual(self.socket.read_text(), "a letter")
        for more in (["--port", "1"], ["--host", "::1"], ["--port-file", "p"]):
            both = run_serve("--unix-socket", self.folder / "other", *more)
            self.assertEqual(both.returncode, USAGE)
            self.assertIn("--unix-socket", both.stderr)


# --- SIGHUP --------------------------------------------------------------------------------------


class Reload(InFolder):
    def status(self, server, key):
        return server.get("/v1/models", {"Authorization": f"Bearer {key}"}).status

    def test_keys_are_read_again_and_a_broken_file_changes_nothing(self):
        keys = self.folder / "keys"
        keys.write_text("one\n")
        with serve("--api-key-file", keys) as server:
            keys.write_text("two\nthree\n")
            self.assertEqual(self.status(server, "one"), 200, "nothing is read without the signal")
            server.reload()
            server.wait_for_log("2 API keys were read again")
            self.assertEqual([self.status(server, key) for key in ("one", "two", "three")],
                             [401, 200, 200])
            for breaks, why in ((lambda: keys.write_text(" \n"), "holds no API key"),
                                (keys.unlink, "No such file"), (keys.mkdir, "Is a directory")):
                breaks()
                server.reload()
                server.wait_for_log(why)
                self.assertEqual([self.status(server, key) for key in ("one", "two")], [401, 200])
            self.assertEqual(server.log().count("the API keys stay as they were"), 3)
            self.assertEqual(server.stop(), OK)

    def test_a_server_without_such_files_lives_on(self):
        with serve() as server:
            server.reload()
            server.wait_for_log("no files of keys or certificates")
            self.assertEqual(server.get("/ready").status, 200)

    def test_the_end_of_its_terminal_ends_it(self):
        """The kernel's SIGHUP, unlike one that was sent."""
        master, slave = os.openpty()
        port = self.folder / "port"
        process = subprocess.Popen(
            [RSD, "serve", "-m", MODEL, "--port", "0", "--port-file", port], stdin=slave,
            stdout=slave, stderr=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=lambda: take_terminal(slave))
        try:
            os.close(slave)
            wait_until(port.exists)
            os.close(master)
            self.assertEqual(process.wait(timeout=60), OK)
        finally:
            process.kill()
            process.wait()


def take_terminal(descriptor):
    import fcntl
    import termios

    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


# --- TLS -----------------------------------------------------------------------------------------


@needs("openssl")
class Tls(InFolder):
    def setUp(self):
        super().setUp()
        self.cert, self.key = self.certificate()

    def serve(self, *options):
        return serve("--tls-cert", self.cert, "--tls-key", self.key, *options, ca=self.cert)

    def trust(self):
        return ssl.create_default_context(cafile=self.cert)

    def greeted(self, server):
        """A connection behind its handshake."""
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        return self.trust().wrap_socket(plain, server_hostname="127.0.0.1")

    @needs("curl")
    def test_curl_is_served(self):
        with self.serve() as server:
            body = self.folder / "body"
            body.write_text(json.dumps(QUESTION))
            done = subprocess.run(
                ["curl", "-sS", "--fail", "--cacert", self.cert, f"{server.url}/v1/rerank", "-H",
                 "Content-Type: application/json", "-d", f"@{body}", "--write-out",
                 "\n%{http_code} %{ssl_verify_result}"],
                capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            answer, codes = done.stdout.rsplit("\n", 1)
            self.assertEqual(codes, "200 0")
            self.assertEqual(len(json.loads(answer)["results"]), 3)
            self.assertIn(f"listening on https://127.0.0.1:{server.port}", server.log())
            self.assertEqual(server.stop(), OK)

    def test_a_connection_serves_many_requests_with_large_bodies(self):
        large = {"query": "amber", "documents": ["amber " * 100_000, "brick"],
                 "max_tokens_per_doc": 16}
        with self.serve("--max-body", 1 << 20) as server:
            with contextlib.closing(server.connection()) as one:
                one.connect()
                first = one.sock
                for _ in range(3):
                    one.request("POST", "/v1/rerank", json.dumps(large), JSON)
                    self.assertEqual(Reply(one.getresponse()).status, 200)
                    self.assertIs(one.sock, first)
                one.request("GET", "/app.js")
                self.assertIn(b"import", Reply(one.getresponse()).body)
                one.request("POST", "/v1/rerank", b"x" * (2 << 20), JSON)
                self.assertEqual(Reply(one.getresponse()).status, 413)

    def test_records_may_come_byte_by_byte(self):
        with self.serve() as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
                come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = self.trust().wrap_bio(come, go, server_hostname="127.0.0.1")

                def exchange(step):
                    while True:
                        try:
                            result, done = step(), True
                        except ssl.SSLWantReadError:
                            result, done = None, False
                        for byte in go.read():
                            plain.sendall(bytes([byte]))
                            time.sleep(0.0002)
                        if done:
                            return result
                        come.write(plain.recv(65536))

                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                exchange(tls.do_handshake)
                body = json.dumps(QUESTION)
                head = (f"POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n")
                exchange(lambda: tls.write(head.encode()))
                exchange(lambda: tls.write(body.encode()))
                answer = b""
                while block := exchange(lambda: tls.read(65536)):
                    answer += block
                self.assertIn(b"HTTP/1.1 200", answer)
                self.assertIn(b"relevance_score", answer)
                self.assertEqual(exchange(lambda: tls.read(1)), b"", "TLS was ended")

    def test_old_versions_and_plain_http_are_refused_and_logged(self):
        with self.serve() as server:
            trust = self.trust()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                trust.minimum_version = ssl.TLSVersion.TLSv1
                trust.maximum_version = ssl.TLSVersion.TLSv1_1
            trust.set_ciphers("ALL:@SECLEVEL=0")
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
                    trust.wrap_socket(plain, server_hostname="127.0.0.1")
            server.wait_for_log("no TLS with 127.0.0.1: ")
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertNotIn(b"200", plain.recv(1000))
            server.wait_for_log("no TLS with 127.0.0.1: http request")
            self.assertEqual(server.get("/health").status, 200)

    def test_handshakes_that_do_not_end_hold_nobody_up_and_are_ended(self):
        with self.serve("--connections", 1) as server:
            begun = [socket.create_connection(("127.0.0.1", server.port), timeout=30)
                     for _ in range(20)]
            for one in begun[:10]:
                one.sendall(b"\x16\x03\x01\x02\x00")  # of a record that doesn't come
            before = time.monotonic()
            self.assertEqual(server.post("/v1/rerank", QUESTION, JSON).status, 200)
            self.assertLess(time.monotonic() - before, 4)
            for one in begun:
                self.assertEqual(one.recv(1000), b"")
                one.close()

    def test_a_new_certificate_is_for_new_connections_and_a_broken_one_changes_nothing(self):
        with self.serve() as server:
            old = self.cert.read_bytes()
            with contextlib.closing(server.connection()) as kept:
                kept.request("GET", "/health")
                Reply(kept.getresponse())
                self.certificate()
                self.assertNotEqual(self.cert.read_bytes(), old)
                server.reload()
                server.wait_for_log("the certificate was read again")
                new = self.cert.read_text()
                with self.greeted(server) as fresh:
                    self.assertEqual(ssl.DER_cert_to_PEM_cert(fresh.getpeercert(True)), new)
                kept.request("GET", "/health")
                self.assertEqual(Reply(kept.getresponse()).status, 200)
            other, _ = self.certificate("other")
            good = self.cert.read_bytes()
            for n, broken in enumerate((b"no certificate", other.read_bytes()), start=1):
                self.cert.write_bytes(broken)
                server.reload()
                wait_until(lambda n=n: server.log().count("certificate stays as it was") == n)
                self.cert.write_bytes(good)
                self.assertEqual(server.get("/health").status, 200)
            self.assertEqual(server.log().count(f"in {self.key}"), 1, server.log())
            self.assertEqual(server.log().count(f"in {self.cert}"), 1, server.log())

    def test_files_that_are_none_are_named_before_anything_is_listened_on(self):
        other, other_key = self.certificate("other")
        secret = self.folder / "secret.key"
        subprocess.run(["openssl", "pkey", "-in", self.key, "-aes256", "-passout", "pass:x", "-out",
                        secret], check=True, capture_output=True)
        none, no_key = self.folder / "none.pem", self.folder / "none.key"
        for cert, key, code, message in (
                (none, self.key, MISSING, f"can't read {none}"),
                (self.cert, no_key, MISSING, f"can't read {no_key}"),
                (self.key, self.key, INVALID, f"no usable certificate in {self.key}"),
                (self.cert, self.cert, INVALID,
                 f"no private key of the certificate in {self.cert}"),
                (self.cert, other_key, INVALID, f"no private key of the certificate in {other_key}"),
                (self.cert, secret, INVALID, f"no private key of the certificate in {secret}")):
            with self.subTest(cert=cert.name, key=key.name):
                refused = run_serve("--tls-cert", cert, "--tls-key", key, "--port", 0)
                self.assertIn(message, refused.stderr)
                self.assertEqual(refused.stderr.count("rsd: error: "), 1, refused.stderr)
                self.assertNotIn("listening", refused.stderr)
                self.assertEqual(refused.returncode, code)
        self.assertEqual(run_serve("--tls-cert", self.cert).returncode, USAGE)

    def test_what_was_accepted_is_finished_and_readers_who_stop_are_let_go(self):
        with self.serve("--drain-timeout", 1, "--request-timeout", 600) as server:
            stuck = self.greeted(server)
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.sendall(200 * b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            before = time.monotonic()
            self.assertEqual(server.stop(), OK)
            self.assertLess(time.monotonic() - before, 10)
            stuck.close()


# --- Proxies -------------------------------------------------------------------------------------


def unit_options():
    """The options of `rsd serve` in rsd.service."""
    line = re.search(r"^ExecStart=(.*)$", (DEPLOY / "rsd.service").read_text(), re.M).group(1)
    return line.split()[2:]


def replaced(text, changes):
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, str(new))
    return text


class Proxy(InFolder):
    """The server of rsd.service, and what stands in front of it."""

    def setUp(self):
        super().setUp()
        self.cert, self.key = self.certificate()
        self.port = free_port()
        (self.folder / "keys").write_text("secret\n")
        options = replaced(" ".join(unit_options()), {
            "--unix-socket /run/rsd/rsd.sock ": "", "/etc/rsd/api-keys": self.folder / "keys"})
        self.server = serve(*options.split(), unix_socket=self.socket)
        self.addCleanup(self.server.__exit__)
        wait_until(self.socket.exists)

    def start(self, command, **more):
        log = (self.folder / "proxy.log").open("wb")
        proxy = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                 stdout=log, stderr=log, **more)
        log.close()

        def end():
            proxy.send_signal(signal.SIGTERM)
            proxy.wait(timeout=30)

        self.addCleanup(end)
        wait_until(lambda: self.listens(proxy))
        self.server.wait_for_log("ready: model")

    def listens(self, proxy):
        assert proxy.poll() is None, (self.folder / "proxy.log").read_text()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False

    def connection(self):
        trust = ssl.create_default_context(cafile=self.cert)
        one = http.client.HTTPSConnection(NAME, self.port, timeout=60)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        one.sock = trust.wrap_socket(plain, server_hostname=NAME)
        return contextlib.closing(one)

    def call(self, method, path, body=None, headers=None):
        with self.connection() as one:
            one.request(method, path, body,
                        {"Authorization": "Bearer secret", **(headers or {})})
            return Reply(one.getresponse())

    # Of a body that is too long, what the proxy reads before it answers.
    READ_BEFORE_ANSWER = 0

    def announce(self, path, n_bytes):
        """The reply to a POST of whose body no more is sent than the proxy waits for: it may close a
        connection while a body that is too long arrives, and its reply is lost."""
        with self.connection() as one:
            one.putrequest("POST", path)
            for name, value in {"Authorization": "Bearer secret", **JSON,
                                "Content-Length": str(n_bytes)}.items():
                one.putheader(name, value)
            one.endheaders()
            one.send(b" " * self.READ_BEFORE_ANSWER)
            return Reply(one.getresponse())

    def check(self):
        seen = crawl(self, self.call)
        self.assertIn("/rank/v1/rank", seen)
        question = json.dumps(QUESTION)
        own = {**JSON, "Origin": f"https://{NAME}:{self.port}"}
        reply = self.call("POST", "/rank/v1/rerank", question, own)
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(len(reply.json()["results"]), 3)
        evil = self.call("POST", "/rank/v1/rerank", question,
                         {**JSON, "Origin": "https://evil.example"})
        self.assertEqual(evil.status, 403)
        self.assertEqual(self.call("GET", "/rank/v1/models",
                                   headers={"Authorization": "Bearer guess"}).status, 401)
        self.assertEqual(self.announce("/rank/v1/rerank", 5 << 20).status, 413)
        moved = self.call("GET", "/rank")
        self.assertIn(moved.status, (301, 308))
        self.assertTrue(moved.headers["Location"].endswith("/rank/"))
        self.assertIn(self.call("GET", "/").status, (200, 404), "not ours")


@needs("nginx")
@needs("openssl")
class Nginx(Proxy):
    def test_the_configuration_serves_page_and_api_below_the_prefix(self):
        site = replaced((DEPLOY / "nginx.conf").read_text(), {
            "unix:/run/rsd/rsd.sock": f"unix:{self.socket}",
            "listen 443 ssl http2": f"listen 127.0.0.1:{self.port} ssl http2",
            "/etc/ssl/rank.example/fullchain.pem": self.cert,
            "/etc/ssl/rank.example/privkey.pem": self.key})
        temporary = "".join(f"  {kind}_temp_path {self.folder}/{kind};\n" for kind in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        main = self.folder / "nginx.conf"
        user = "user root;\n" if os.geteuid() == 0 else ""
        main.write_text(f"{user}daemon off;\npid {self.folder}/pid;\nerror_log stderr;\n"
                        f"events {{}}\nhttp {{\n  access_log off;\n{temporary}{site}\n}}\n")
        command = [program("nginx"), "-p", self.folder, "-e", "stderr", "-c", main]
        test = subprocess.run([*map(str, command), "-t"], capture_output=True, text=True)
        self.assertEqual(test.returncode, 0, test.stderr)
        self.assertNotIn("warn", test.stderr)
        self.start(command)
        self.check()
        self.assertRegex(self.call("GET", "/rank/health").headers["X-Request-Id"],
                         "^[0-9a-f]{32}$")


@needs("caddy")
@needs("openssl")
class Caddy(Proxy):
    READ_BEFORE_ANSWER = (256 << 10) + 1  # as Go's HTTP server does with a body that it limits

    def test_the_configuration_serves_page_and_api_below_the_prefix(self):
        site = replaced((DEPLOY / "Caddyfile").read_text(), {
            "rank.example {": f"rank.example:{self.port} {{\n\tbind 127.0.0.1\n"
                              f"\ttls {self.cert} {self.key}",
            "unix//run/rsd/rsd.sock": f"unix/{self.socket}"})
        main = self.folder / "Caddyfile"
        main.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + site)
        environment = {**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder),
                       "XDG_CONFIG_HOME": str(self.folder)}
        options = ["--config", main, "--adapter", "caddyfile"]
        test = subprocess.run([program("caddy"), "validate", *map(str, options)], text=True,
                              capture_output=True, env=environment)
        self.assertEqual(test.returncode, 0, test.stderr)
        self.start([program("caddy"), "run", *options], env=environment)
        self.check()


@needs("systemd-analyze")
class Unit(InFolder):
    def test_systemd_takes_the_unit_and_finds_little_exposed(self):
        unit = self.folder / "rsd.service"
        unit.write_text(replaced((DEPLOY / "rsd.service").read_text(), {
            "ExecStart=/usr/local/bin/rsd": f"ExecStart={pathlib.Path(RSD).resolve()}"}))
        verified = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                                  capture_output=True, text=True)
        self.assertEqual((verified.returncode, verified.stderr), (0, ""))
        rated = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20",
                                "--no-pager", unit], capture_output=True, text=True)
        self.assertEqual(rated.returncode, 0, rated.stdout[-500:] + rated.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    RSD = sys.argv.pop(1)
    unittest.main()
