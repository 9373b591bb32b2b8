"""The peak memory of a process of the tests, for programs that tests start."""

import re
import resource
import sys
from pathlib import Path


def megabytes() -> int:
    """The peak of this process in megabytes.

    On Linux by its status: `ru_maxrss` begins with the memory of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (kilobytes,) = re.findall(r"^VmHWM:\s*(\d+)", status.read_text(), re.MULTILINE)
        return int(kilobytes) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)
