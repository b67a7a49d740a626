"""How the C library keeps memory for threads."""

import ctypes

_M_ARENA_MAX = -8  # mallopt(3)


def few_arenas(count: int = 2) -> bool:
    """Let all threads of this process share so many of the C library's heaps; say whether it can be told so (glibc can).

    By default glibc gives threads heaps of their own, up to eight for each core. Work that moves from thread to thread, as the
    steps of investigations do, leaves freed memory behind in each of them. To be called before threads are started.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_ARENA_MAX, count) == 1
