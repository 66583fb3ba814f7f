"""What another process of this machine has used so far, as the kernel counted it.

Called by benchmarks that run the product as a process of its own.
"""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_ms(pid: int) -> float:
    """Return milliseconds of processor time, of threads that ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS * 1000


def rss_mb(pid: int) -> float:
    """Return resident memory, in 10**6 bytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024 / 1e6
