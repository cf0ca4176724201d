"""Waiting for a condition, never for a while."""

import os
import threading
import time

DEADLINE_S = float(os.environ.get("PENSTOCK_TEST_DEADLINE", "20"))


class Deadline(AssertionError):
    """What was waited for did not come in time."""


def eventually(condition, what, deadline_s=DEADLINE_S):
    """Returns the first true value of condition(); raises Deadline, naming `what`, if none comes.

    For conditions that only asking can tell (an admin page, a process). It asks again after a short
    pause so that the gateway under test has the processor meanwhile.
    """
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Deadline(f"not within {deadline_s:g} s: {what}")
        pause.wait(0.005)


class Gate:
    """One thread waits until another opens it: how a test says when a fake server may go on."""

    def __init__(self, name="gate"):
        self.name = name
        self._event = threading.Event()

    def open(self):
        self._event.set()

    def is_open(self):
        return self._event.is_set()

    def wait(self, deadline_s=DEADLINE_S):
        if not self._event.wait(deadline_s):
            raise Deadline(f"not opened within {deadline_s:g} s: {self.name}")


class Watched:
    """A list that threads append to and a test waits on."""

    def __init__(self):
        self._items = []
        self._changed = threading.Condition()

    def append(self, item):
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def __iter__(self):
        with self._changed:
            return iter(list(self._items))

    def __len__(self):
        with self._changed:
            return len(self._items)

    def __getitem__(self, index):
        with self._changed:
            return self._items[index]

    def notify(self):
        """Wakes waiters whose condition looks at more than the list."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, condition, what, deadline_s=DEADLINE_S):
        """Returns condition(list of items) as soon as it is true."""
        value = None

        def holds():
            nonlocal value
            value = condition(list(self._items))
            return value

        with self._changed:
            if not self._changed.wait_for(holds, deadline_s):
                raise Deadline(f"not within {deadline_s:g} s: {what}; "
                               f"there are {repr(self._items)[:2000]}")
        return value

    def wait_count(self, count, what="items", deadline_s=DEADLINE_S):
        """Returns the first `count` items once they are there."""
        return self.wait(lambda items: len(items) >= count and items[:count],
                         f"{count} {what}", deadline_s)
