"""Freed memory is used again where a program asks for it, and only there."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from features import memory

ROOT = Path(__file__).parents[2]
#: Pages that the system hands out while forty arrays of 400 kB, or one of 100 MB, are made and dropped.
COUNT = """
import resource, sys
import numpy as np
from features.memory import keep_freed_memory

def pages(values, arrays):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        held = [np.ones(values) for _ in range(arrays)]
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_freed_memory() if sys.argv[1] == "keep" else None
pages(50_000, 40)
print(kept, pages(50_000, 40), pages(12_500_000, 1))
"""
on_glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="needs glibc"
)


def _pages(argument: str, **environment: str) -> list[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in memory.KEEP_FREED_MEMORY}
    finished = subprocess.run(
        [sys.executable, "-c", COUNT, argument],
        capture_output=True, text=True, check=True, cwd=ROOT, env=inherited | environment,
    )  # fmt: skip
    return finished.stdout.split()


@on_glibc
def test_arrays_of_a_block_come_from_memory_that_was_used_before_and_large_ones_go_back() -> None:
    _, every_time, _ = _pages("leave")
    kept, again, large = _pages("keep")

    assert kept == "True"
    assert int(every_time) > 10_000  # of 39,000 pages of 4 kB
    assert int(again) < 100
    assert int(large) > 100


@on_glibc
@pytest.mark.parametrize("name", [*memory.KEEP_FREED_MEMORY, "GLIBC_TUNABLES"])
def test_whoever_set_the_allocator_has_decided(name: str) -> None:
    kept, *_ = _pages("keep", **{name: "glibc.malloc.arena_max=4" if name == "GLIBC_TUNABLES" else "262144"})
    assert kept == "False"


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: str | None) -> None:
        raise AssertionError("the C library is not to be touched")

    for given in (*memory.KEEP_FREED_MEMORY, "GLIBC_TUNABLES"):
        monkeypatch.delenv(given, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", no_library)

    assert not memory.keep_freed_memory()


def test_a_c_library_without_the_settings_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in (*memory.KEEP_FREED_MEMORY, "GLIBC_TUNABLES"):
        monkeypatch.delenv(given, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())

    assert not memory.keep_freed_memory()
