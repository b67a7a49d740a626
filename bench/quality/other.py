"""The same machines as somebody else would watch them: at another step, or by fewer of their metrics."""

import dataclasses

import numpy as np

from .data import BoolArray, Event, FloatArray, Machine


def coarser(machine: Machine, rows: int) -> Machine:
    """Give a machine's means over so many rows; what is labelled in part is labelled. Train's first and test's last rows may go."""
    train, test = machine.train[len(machine.train) % rows :], machine.test[: len(machine.test) // rows * rows]
    label: BoolArray = np.logical_or.reduce(machine.label[: len(test)].reshape(-1, rows), axis=1)
    return Machine(
        machine.name, machine.step * rows, _means(train, rows), _means(test, rows), label, _joined(machine, rows, len(label))
    )


def fewer(machine: Machine, metrics: int, seed: int) -> Machine:
    """Give a machine by some of its metrics, drawn by the seed. Events that none of them carries stay: nobody knows beforehand."""
    chosen = np.random.default_rng(seed).choice(machine.test.shape[1], metrics, replace=False)
    place = {int(column): index for index, column in enumerate(chosen)}
    events = tuple(
        dataclasses.replace(event, causes=tuple(sorted(place[cause] for cause in event.causes if cause in place)))
        for event in machine.events
    )
    return dataclasses.replace(machine, train=machine.train[:, chosen], test=machine.test[:, chosen], events=events)


def _means(values: FloatArray, rows: int) -> FloatArray:
    means: FloatArray = values.reshape(-1, rows, values.shape[1]).mean(axis=1)
    return means


def _joined(machine: Machine, rows: int, length: int) -> tuple[Event, ...]:
    """Give the events in coarser rows; those that meet there are one."""
    joined: list[Event] = []
    for event in machine.events:
        start, end = event.start // rows, min(length, (event.end - 1) // rows + 1)
        if start >= end:
            continue
        if joined and start <= joined[-1].end:
            start, causes = joined[-1].start, tuple(sorted({*joined.pop().causes, *event.causes}))
            joined.append(Event(start, end, causes))
        else:
            joined.append(Event(start, end, event.causes))
    return tuple(joined)
