#!/usr/bin/env python3
"""The image of packaging/docker/Dockerfile: built, looked at, run as its own user.

usage: container_test.py [--packages FOLDER] [unittest's arguments]

Podman reads the Dockerfile as Docker does, and needs no daemon. No registry is asked: `debian:bookworm-slim`
is made by debootstrap. Images and containers are in build/containers, apart from the user's own. The build
uses this machine's ccache, and its certificates for pip. Needs root; ./dev test-container installs what it
needs. With --packages the first stage compiles nothing and takes those packages in place of its own.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import debian_root  # noqa: E402

PLACE = ROOT / "build" / "containers"
BASE = "docker.io/library/debian:bookworm-slim"
IMAGE = "localhost/rsd"
# Podman asks for higher limits than root may set in a sandbox.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
TINY = ROOT / "tests/models/tiny-bpe.gguf"
REQUEST = {"query": "how to split peas", "documents": ["Soak the peas.", "Bake the cake.", "Rain."]}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PACKAGES = None


def missing():
    for program in ("podman", "runc"):
        if not shutil.which(program, path=debian_root.SYSTEM_PATH):
            return f"not installed: {program}"
    return debian_root.missing()


def podman(*words, check=True, **more):
    command = ["podman", "--root", PLACE / "storage", "--runroot", PLACE / "run", "--runtime", "runc", *words]
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"podman {words} ended with {done.returncode}:\n"
                             f"{done.stdout[-5000:]}{done.stderr[-5000:]}")
    return done


def settings_of_pip(folder):
    """Volumes: a machine whose registry has a certificate of its own needs that in the container, too."""
    certificates = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or CERTIFICATES
    if not pathlib.Path(certificates).exists():
        return []
    pip = pathlib.Path(folder, "pip.conf")
    pip.write_text("[global]\ncert = /etc/rsd-test-certificates.crt\n")
    return ["--volume", f"{certificates}:/etc/rsd-test-certificates.crt:ro",
            "--volume", f"{pip}:/etc/pip.conf:ro"]


def make_base():
    if podman("image", "exists", BASE, check=False).returncode == 0:
        return
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        tar = pathlib.Path(folder, "base.tar")
        subprocess.run(["tar", "--create", "--numeric-owner", "--file", tar, "--directory",
                        debian_root.base(), "--exclude=./dev/*", "."], check=True)
        podman("import", tar, BASE)


def finished_packages(folder):
    """Volumes: a ./dev that takes the packages of PACKAGES."""
    script = pathlib.Path(folder, "dev")
    script.write_text("#!/bin/sh\nmkdir -p build/packages && cp /finished-packages/*.deb build/packages\n")
    script.chmod(0o755)
    return ["--volume", f"{script}:/src/dev:ro", "--volume", f"{PACKAGES}:/finished-packages:ro"]


def build(volumes):
    ccache = pathlib.Path(os.environ.get("CCACHE_DIR") or pathlib.Path.home() / ".cache/ccache")
    if ccache.is_dir():
        volumes = [*volumes, "--volume", f"{ccache}:/root/.cache/ccache"]
    start = time.monotonic()
    podman("build", "--isolation", "chroot", "--pull=never", "--format", "docker", "--file",
           ROOT / "packaging/docker/Dockerfile", "--tag", IMAGE, *volumes, ROOT)
    print(f"built in {time.monotonic() - start:.0f} s", file=sys.stderr)


@unittest.skipIf(missing(), f"no containers here: {missing()}")
class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        PLACE.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.pip = settings_of_pip(folder.name)
        make_base()
        build(cls.pip + (finished_packages(folder.name) if PACKAGES else []))
        (cls.description,) = json.loads(podman("image", "inspect", IMAGE).stdout)
        print(f"image: {cls.description['Size'] / 2**20:.0f} MiB", file=sys.stderr)

    def run_in(self, *command, options=(), entry=(), **more):
        return podman("run", "--rm", *LIMITS, *(options or ["--network", "none"]), *(["--entrypoint", entry] if entry else []), IMAGE,
                      *command, **more)

    def test_what_it_says_of_itself(self):
        config = self.description["Config"]
        self.assertEqual(config["User"], "10001:10001")
        self.assertEqual(config["Entrypoint"], ["rsd"])
        self.assertEqual(config["Cmd"], ["serve", "--host", "0.0.0.0", "--port", "8080"])
        self.assertIn("8080/tcp", config["ExposedPorts"])
        self.assertIn("/var/cache/rsd", config["Volumes"])
        check = self.description.get("HealthCheck") or self.description["Healthcheck"]
        self.assertEqual(check["Test"][:2], ["CMD", "curl"])

    def test_it_runs_as_its_own_user_without_compilers(self):
        self.assertEqual(self.run_in("-u", entry="id").stdout.strip(), "10001")
        self.assertRegex(self.run_in("--version").stdout, r"\d+\.\d+")
        found = self.run_in("-c", "command -v cc g++ cmake git; true", entry="sh").stdout
        self.assertEqual(found, "")
        # Volumes of the build leave their empty mount points.
        found = self.run_in("-c", "find /packages /src -type f -size +0 2>/dev/null; true", entry="sh").stdout
        self.assertEqual(found, "")

    def serve(self, *options, model=()):
        """A container of the default command, without privileges, network and a writable system."""
        name = podman("run", "--detach", *LIMITS, "--network", "none", "--read-only", "--cap-drop", "ALL",
                      "--security-opt", "no-new-privileges", *options, IMAGE,
                      *self.description["Config"]["Cmd"], *model).stdout.strip()
        self.addCleanup(podman, "rm", "--force", name)
        end = time.monotonic() + 300
        while podman("healthcheck", "run", name, check=False).returncode != 0:
            state = podman("inspect", "--format", "{{.State.Status}}", name).stdout.strip()
            self.assertEqual(state, "running", podman("logs", name).stderr)
            self.assertLess(time.monotonic(), end, "it did not get healthy")
            time.sleep(0.5)
        return name

    def check_ranks_and_ends(self, name):
        answer = podman("exec", name, "curl", "--silent", "--fail", "http://127.0.0.1:8080/v1/rerank", "--header",
                        "Content-Type: application/json", "--data", json.dumps(REQUEST)).stdout
        self.assertEqual(sorted(result["index"] for result in json.loads(answer)["results"]), [0, 1, 2])
        podman("stop", "--time", "40", name)
        self.assertEqual(podman("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip(), "0")

    def test_it_serves_a_model_from_a_volume(self):
        name = self.serve("--volume", f"{TINY.parent}:/models:ro", model=["--model", f"/models/{TINY.name}"])
        self.check_ranks_and_ends(name)

    def test_it_fetches_the_default_model_once_and_serves_it_read_only(self):
        self.addCleanup(podman, "volume", "rm", "--force", "rsd-test-cache")
        podman("volume", "rm", "--force", "rsd-test-cache")
        self.run_in("model", "fetch", options=["--network", "host", "--volume", "rsd-test-cache:/var/cache/rsd",
                                               *self.pip])
        name = self.serve("--volume", "rsd-test-cache:/var/cache/rsd:ro")
        self.check_ranks_and_ends(name)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--packages"]:
        PACKAGES = pathlib.Path(sys.argv.pop(2)).resolve()
        sys.argv.pop(1)
    unittest.main()
