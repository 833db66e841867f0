"""Runs bentoml so that a hang-up ends it: `python -m serving.server serve …` for `python -m bentoml serve …`."""

import os
import runpy
import signal
import threading

_HANGUP = {signal.SIGHUP}


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


if __name__ == "__main__":
    end_on_hangup()
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)
