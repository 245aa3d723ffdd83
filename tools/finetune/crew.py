"""The gradients of a step's examples, worked out by several processes.

Each process takes the next example as soon as it is done with one. OpenMP threads would wait for each
other at every layer instead, and a core that is busy with something else would hold up all of them.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, wait

import torch

Loss = Callable[[int], torch.Tensor]


class Alone:
    """This process does it all: for a GPU."""

    def __init__(self, loss: Loss):
        self._loss = loss

    def add_gradients(self, examples: Iterable[int]) -> list[float]:
        return [add_gradient(self._loss, number) for number in examples]


class Crew:
    """Forked processes of one thread each. The parameters are moved to memory that they share.

    All else that `loss` reaches is what it was when the first gradients were asked for. Which process
    takes which example is a matter of time, and with it the last digits of the sums.
    """

    def __init__(self, n_processes: int, parameters: list[torch.nn.Parameter], loss: Loss):
        self._parameters = parameters
        n_values = sum(p.numel() for p in parameters)
        values = torch.empty(n_values).share_memory_()
        for parameter, view in zip(parameters, views(values, parameters), strict=True):
            parameter.data = view.copy_(parameter.data)
        self._gradients = torch.zeros(n_processes, n_values).share_memory_()
        context = multiprocessing.get_context("fork")
        seats = context.SimpleQueue()
        for seat in range(n_processes):
            seats.put(seat)
        self._pool = ProcessPoolExecutor(n_processes, context, take_seat, (self, seats, loss))

    def add_gradients(self, examples: Iterable[int]) -> list[float]:
        """Adds the examples' gradients to the parameters'; returns the losses. Rethrows what they throw."""
        futures = [self._pool.submit(work, example) for example in examples]
        wait(futures)
        total = self._gradients.sum(0)
        self._gradients.zero_()  # whether one of them threw or not
        losses = [future.result() for future in futures]
        for parameter, view in zip(self._parameters, views(total, self._parameters), strict=True):
            parameter.grad = view if parameter.grad is None else parameter.grad + view
        return losses

    def close(self) -> None:
        self._pool.shutdown()


def views(flat: torch.Tensor, parameters: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    parts = flat.split([p.numel() for p in parameters])
    return [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]


def add_gradient(loss: Loss, example: int) -> float:
    value = loss(example)
    value.backward()
    return value.item()


def take_seat(crew: Crew, seats, loss: Loss) -> None:
    """What a process of a crew begins with: its own row of the gradients, and one thread."""
    global seated
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    torch.set_num_threads(1)
    row = crew._gradients[seats.get()]
    for parameter, view in zip(crew._parameters, views(row, crew._parameters), strict=True):
        parameter.grad = view  # backward adds in place
    seated = loss


def end_with(parent: int) -> None:
    """Ends this worker when its trainer was killed: the pool alone would wait forever."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def work(example: int) -> float:
    return add_gradient(seated, example)
