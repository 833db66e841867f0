"""How freed memory is kept: a setting of the whole process, for programs to make where they start, not for libraries.

Signals are statistics of blocks, each of which makes and drops hundreds of arrays of 400 kB to 10 MB. By default glibc
asks the system for many of these anew, or gives the end of its heap back after them: the system then clears every page
again, under a lock that all threads share.
"""

import ctypes
import os
import sys

#: Arrays below this come from memory that was used before: the most that every glibc takes on 64-bit machines
#: (`HEAP_MAX_SIZE` / 2). Larger ones go back at once.
KEPT_ARRAY = 32 * 2**20
#: Free memory at the end of the heap from which on it goes back.
KEPT_HEAP = 512 * 2**20
#: Both, in the environment of a process that is yet to start.
KEEP_FREED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(KEPT_ARRAY), "MALLOC_TRIM_THRESHOLD_": str(KEPT_HEAP)}
#: Their numbers in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: Where whoever starts the program may have decided otherwise.
_SET_OUTSIDE = (*KEEP_FREED_MEMORY, "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory instead of giving it back to the system after every block of numbers.

    No number depends on it. The engagement and growth signals of 20,000 creators took 1.2 s with it and, depending on
    what the process had freed before, 1.3 to 2.4 s without. The process may hold `KEPT_HEAP` more than it uses.

    Returns
    -------
    bool
        Whether the setting was made: not where the C library is another one, nor where the environment has one.
    """
    if sys.platform != "linux" or any(name in os.environ for name in _SET_OUTSIDE):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    made = [libc.mallopt(_MMAP_THRESHOLD, KEPT_ARRAY), libc.mallopt(_TRIM_THRESHOLD, KEPT_HEAP)]
    return all(made)
