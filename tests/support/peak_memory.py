"""Source text of a function that a subprocess calls to measure its own peak memory."""

from __future__ import annotations

# `ru_maxrss` of a child starts at the memory of the process that forked it, so that it says nothing
# where the parent, such as a worker of the tests, is larger.
PEAK = """
def peak():
    "The peak memory of this process in bytes."
    with open("/proc/self/status", encoding="utf-8") as status:
        (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
"""
