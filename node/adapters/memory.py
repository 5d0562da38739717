"""A limit to the memory of this process, so that one case that wants too much fails alone."""

import resource
from pathlib import Path


def limit_memory(megabytes: int) -> None:
    """Let this process take no more than that beyond what it has now; 0 for no limit.

    Python then raises `MemoryError` in the computation. Without a limit the kernel kills whichever process it likes.
    What is limited is address space (`RLIMIT_AS`), of which libraries reserve much that they never use: hence what
    comes on top of it, and not the whole.
    """
    if not megabytes:
        return
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    wanted, most = pages * resource.getpagesize() + megabytes * 2**20, resource.getrlimit(resource.RLIMIT_AS)[1]
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, most))
