"""How the C library handles memory in a process that moves large bodies through small pieces.

Left alone, glibc gives the pages of each piece back to the kernel and faults them in anew for the next one (most of a
second of processor time a GiB), and keeps an arena for every thread (about 4 MB more at the peak). On other C libraries
nothing is changed.
"""

from __future__ import annotations

import ctypes

# From <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def keep_pieces() -> None:
    """Lets freed pieces of up to 4 MiB be used again, in two arenas; before any thread is started."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 4 << 20)
        mallopt(_TRIM_THRESHOLD, 8 << 20)
        mallopt(_ARENA_MAX, 2)
