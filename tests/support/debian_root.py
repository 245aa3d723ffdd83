"""A Debian 12 in a folder, and commands in it, apart from this machine's files and processes."""

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = ROOT / "build" / "debian" / "bookworm"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing():
    """Why there can be none here; empty if there can."""
    if os.geteuid() != 0:
        return "needs root, for chroot"
    for program in ("debootstrap", "unshare", "chroot"):
        if not shutil.which(program, path=SYSTEM_PATH):
            return f"not installed: {program}"
    return ""


def base():
    """The smallest Debian 12, fetched once. It is complete if it has its last file."""
    done = BASE / ".complete"
    if not done.exists():
        shutil.rmtree(BASE, ignore_errors=True)
        BASE.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", BASE], check=True,
                       stdout=subprocess.DEVNULL)
        done.touch()
    return BASE


class DebianRoot:
    """A copy of base() in `folder`, which is removed at the end of the `with`."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder)

    def __enter__(self):
        shutil.rmtree(self.path, ignore_errors=True)
        subprocess.run(["cp", "--archive", "--reflink=auto", base(), self.path], check=True)
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def command(self, *words):
        """The command line that runs the words in it. Their processes end with the first of them."""
        script = ('mount --types proc proc "$0/proc" && mount --rbind /dev "$0/dev" && '
                  'exec chroot "$0" "$@"')
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script,
                str(self.path), *map(str, words)]

    def environment(self, **variables):
        return {"PATH": SYSTEM_PATH, "HOME": "/root", "LC_ALL": "C.UTF-8",
                "DEBIAN_FRONTEND": "noninteractive", **variables}

    def run(self, *words, check=True, **variables):
        done = subprocess.run(self.command(*words), env=self.environment(**variables), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def start(self, *words, **more):
        """Runs on until it is ended: a kill of this process ends those in the folder, too."""
        return subprocess.Popen(self.command(*words), env=self.environment(),
                                stdin=subprocess.DEVNULL, **more)

    def files(self):
        """All paths below it, without what programs keep for themselves."""
        skipped = ("proc", "dev", "tmp", "var/lib/dpkg", "var/lib/apt", "var/cache/apt", "var/log",
                   "var/cache/debconf", "var/cache/ldconfig")
        found = set()
        for folder, folders, files in os.walk(self.path):
            here = pathlib.Path(folder).relative_to(self.path)
            folders[:] = [name for name in folders if str(here / name) not in skipped]
            found.update(str(here / name) for name in folders + files)
        return found
