#!/usr/bin/env python3
"""Compares a model over two RPC servers on this machine with the same model in one process.

usage: rpc.py [--requests FILE...] [--limit N] [--decoder exact,rsd] [--model MODEL.gguf]
              [--rsd PROGRAM] [--threads N] [--servers N] [--tensor-split SHARE,…] [--at-least TAU]
              [-- OPTION...]

Starts `rsd rpc-server`s on free ports of 127.0.0.1 and ranks the requests, one after the other, in
one process, then through --rpc, then once more through --rpc and proxies that count bytes: the
times are those of the run without them. A synthetic request goes first in each run and is not
counted. For each request it prints whether the rankings agree, Kendall's tau, both times and the
bytes of an encoding; then the means as a table. The servers are stopped at the end. Exits with 1 if
a mean tau is below --at-least. Prompts aren't kept on either side; arguments after -- are passed to
`rsd rank` in each run, such as --cache-ram 16.
"""

import argparse
import contextlib
import json
import pathlib
import signal
import subprocess
import sys

from counting_proxy import CountingProxy
from same_rankings import DECODERS, ROOT, agreement, first_lines, line

sys.path.insert(0, str(ROOT / "tests" / "support"))

from processes import RpcServer  # noqa: E402

WARM_UP = json.dumps({"id": "warm-up", "query": "peas", "candidates": [{"id": "a", "text": "green"},
                                                                       {"id": "b", "text": "round"}]})
HEADER = ["decoder", "requests", "Kendall's tau", "same", "encodings", "ms here", "ms by RPC",
          "kB out an encoding", "kB back an encoding"]


def ranked(options, decoder, requests, *arguments, counted=lambda: (0, 0)):
    """The answers, and for each what `counted` has grown by meanwhile."""
    command = [options.rsd, "rank", "--requests", "-", "--decoder", decoder, *DECODERS[decoder],
               "--threads", str(options.threads), *options.rank_options, *arguments]
    command += [] if "--cache-ram" in options.rank_options else ["--cache-ram", "0"]
    command += ["--model", options.model] if options.model else []
    answers, grown = [], []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as rsd:
        before = counted()
        for request in [WARM_UP, *requests]:
            with contextlib.suppress(BrokenPipeError):
                rsd.stdin.write(request.rstrip("\n") + "\n")
                rsd.stdin.flush()
            answer = rsd.stdout.readline()
            if not answer:
                sys.exit(f"{' '.join(command)} ended with {rsd.wait()}")
            after = counted()
            answers.append(json.loads(answer))
            grown.append([a - b for a, b in zip(after, before)])
            before = after
        rsd.stdin.close()
    if rsd.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {rsd.returncode}")
    return answers[1:], grown[1:]


def rpc(options, ports):
    """The options that make rsd compute on the servers at `ports`."""
    addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
    split = ["--tensor-split", options.tensor_split] if options.tensor_split else []
    return ["--rpc", addresses, *split]


def by_proxies(options, decoder, requests, servers):
    """The bytes that each request sends to the servers and gets back, of all servers together."""
    with contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(CountingProxy(server.port)) for server in servers]
        return ranked(options, decoder, requests, *rpc(options, [proxy.port for proxy in proxies]),
                      counted=lambda: [sum(ways) for ways in zip(*(p.n_bytes() for p in proxies))])


def bytes_at_the_start(options, servers):
    """Sent until the model is loaded and warm."""
    with contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(CountingProxy(server.port)) for server in servers]
        command = [options.rsd, "model", "inspect", *rpc(options, [proxy.port for proxy in proxies])]
        command += ["--model", options.model] if options.model else []
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return sum(proxy.n_bytes()[0] for proxy in proxies)


def compare(here, there, counted):
    """For each request, a line of text and its figures."""
    lines, figures = [], []
    for local, remote, (asked, (out, back)) in zip(here, there, counted):
        tau = agreement(remote["ranking"], local["ranking"])["kt"]
        same = local["ranking"] == remote["ranking"]
        ms = [answer["timing_ms"]["total"] for answer in (local, remote)]
        kb = [n / 1000 / max(asked["encodings"], 1) for n in (out, back)]
        lines.append(f"{local['id']}: {'the same' if same else 'another'} ranking, tau {tau:.4f}, "
                     f"{ms[0]:.0f} ms here, {ms[1]:.0f} ms by RPC, {remote['encodings']} encodings, "
                     f"{kb[0]:,.0f} kB out and {kb[1]:,.0f} kB back an encoding")
        figures.append([tau, same, remote["encodings"], *ms, *kb])
    return lines, figures


def row(decoder, figures):
    """Means over the requests."""
    def mean(n):
        return sum(figure[n] for figure in figures) / len(figures)

    same = sum(figure[1] for figure in figures)
    return [decoder, str(len(figures)), f"{mean(0):.4f}", f"{same} of {len(figures)}",
            f"{mean(2):.1f}", *(f"{mean(n):,.0f}" for n in range(3, 7))]


def measure(options, decoder, requests, servers):
    """The row of the table, and the mean tau."""
    here, _ = ranked(options, decoder, requests)
    there, _ = ranked(options, decoder, requests, *rpc(options, [s.port for s in servers]))
    counted = zip(*by_proxies(options, decoder, requests, servers))
    lines, figures = compare(here, there, counted)
    print(f"{decoder}, {' '.join(DECODERS[decoder]) or 'no budget'}", *lines, "", sep="\n", flush=True)
    return row(decoder, figures), sum(figure[0] for figure in figures) / len(figures)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", nargs="+", type=pathlib.Path,
                        default=sorted((ROOT / "examples").glob("*.jsonl")))
    parser.add_argument("--limit", type=int, help="only the first N requests of each file")
    parser.add_argument("--decoder", default="exact,rsd", type=lambda names: names.split(","))
    parser.add_argument("--model", help="a GGUF; without it rsd's default model")
    parser.add_argument("--rsd", default=str(ROOT / "build" / "release" / "rsd"))
    parser.add_argument("--threads", type=int, default=1, help="of rsd, and of each server")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--tensor-split", metavar="SHARE,…", help="of the servers")
    parser.add_argument("--at-least", type=float, default=0.98)
    parser.add_argument("rank_options", nargs="*", metavar="-- OPTION", help="of `rsd rank`")
    options = parser.parse_args(arguments)
    if unknown := set(options.decoder) - set(DECODERS):
        parser.error(f"--decoder {unknown.pop()}: it must be of {', '.join(DECODERS)}")
    for name in ("limit", "threads", "servers"):
        if (value := getattr(options, name)) is not None and value < 1:
            parser.error(f"--{name} {value}: it must be 1 or more")
    return options


def main(arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped, too
    options = parse(arguments)
    requests = [one for file in options.requests for one in first_lines(file, options.limit)]
    if not requests:
        sys.exit("there are no requests")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(RpcServer(options.rsd, threads=options.threads))
                   for _ in range(options.servers)]
        print(f"sent at the start: {bytes_at_the_start(options, servers) / 1e6:,.1f} MB\n", flush=True)
        measured = [measure(options, decoder, requests, servers) for decoder in options.decoder]
    print(line(HEADER), line(["-"] * len(HEADER)), *(line(cells) for cells, _ in measured), sep="\n")
    return 0 if min(mean for _, mean in measured) >= options.at_least else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
