"""Loaded by every Python process of a server under test: lets it share its cores with others.

vLLM expects cores of its own. With NIXL each server binds its worker to the machine's last core,
the same one for all of them, and waits there by yielding in a loop. On two cores (Linux 6.18) the
decode server's worker then got no time for as long as the prefill server's had blocks to wait for:
a transfer took up to the lease's 30 s. With both changed it takes 0.2 s.
"""

import os
import select

PAUSE_S = 0.0002


def sched_yield():
    select.select((), (), (), PAUSE_S)


def sched_setaffinity(pid, mask):
    """Leaves the process on every core."""


os.sched_yield = sched_yield
os.sched_setaffinity = sched_setaffinity
