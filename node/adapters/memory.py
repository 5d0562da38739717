"""A limit to the memory of this process, so that one case that wants too much fails alone."""

import resource


def limit_memory(megabytes: int) -> None:
    """Let this process and its threads take no more than that; 0 for no limit.

    Python then raises `MemoryError` in the computation. Without a limit the kernel kills whichever process it likes.
    What is limited is memory that can be written (`RLIMIT_DATA`), not what is mapped from files.
    """
    if megabytes:
        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        wanted = megabytes * 2**20
        resource.setrlimit(
            resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most)
        )
