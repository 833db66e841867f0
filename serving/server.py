"""Runs bentoml so that a hang-up ends it and a dead worker is replaced at once.

`python -m serving.server serve …` for `python -m bentoml serve …`.
"""

import os
import runpy
import signal
import threading
import time
from typing import Any

from circus.controller import Controller
from circus.exc import ConflictError

_HANGUP = {signal.SIGHUP}
#: Seconds between two looks at the workers: one that dies as soon as it starts is not started faster than that.
_BETWEEN_LOOKS = 1.0


def _end_at_hangup() -> None:
    signal.sigwait(_HANGUP)
    os.kill(os.getpid(), signal.SIGTERM)


def end_on_hangup() -> None:
    """Let SIGHUP end this process as SIGTERM does; where it is ignored, as under nohup, it stays ignored.

    The supervisor that bentoml starts handles SIGHUP by reloading its workers, and would outlive the terminal it was
    started from. Blocked, the signal never reaches it; processes it starts inherit that and are ended by it.
    """
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANGUP)
    if not ignored:
        threading.Thread(target=_end_at_hangup, name="hang-up", daemon=True).start()


class _Watch:
    """Has a supervisor look at its workers when one of its processes has ended."""

    def __init__(self, controller: Any) -> None:
        self._arbiter, self._loop = controller.arbiter, controller.loop
        self._next, self._due = 0.0, False

    def notice(self, *_: object) -> None:
        """Handle SIGCHLD: in the loop, where the supervisor does all else."""
        self._loop.add_callback_from_signal(self._ask)

    def _ask(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_later(max(0.0, self._next - time.monotonic()), self._look)

    async def _look(self) -> None:
        self._due, self._next = False, time.monotonic() + _BETWEEN_LOOKS
        try:
            await self._arbiter.manage_watchers()
        except ConflictError:  # it starts, stops or looks already
            self._ask()


def replace_dead_workers_at_once() -> None:
    """Have the supervisor that bentoml starts look at its workers when one has ended, not only every ten seconds.

    bentoml leaves no way to say how often it looks; looked more often, the signal that ends it would be refused more
    often too, as everything is that comes while it looks.
    """
    start = Controller.start

    def start_and_watch(controller: Any) -> None:
        start(controller)
        signal.signal(signal.SIGCHLD, _Watch(controller).notice)

    Controller.start = start_and_watch


if __name__ == "__main__":
    end_on_hangup()
    replace_dead_workers_at_once()
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)
