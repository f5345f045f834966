# SPDX-License-Identifier: BSD-3-Clause
"""A thread that is held within the code of a library, as one that has lost its CPU just there."""
import contextlib
import ctypes
import os
import platform
import unittest

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
SEIZE, INTERRUPT, CONT, GETREGS, DETACH = 0x4206, 0x4207, 7, 12, 17
REGISTERS, RIP = 27, 16  # of x86-64
WALL = 0x40000000


def _ptrace(request, thread, data=None):
    if _libc.ptrace(request, thread, None, data) < 0:
        raise unittest.SkipTest(f"needs ptrace(2): {os.strerror(ctypes.get_errno())}")


def _code(process, library):
    """Where a library's code is mapped."""
    with open(f"/proc/{process}/maps", encoding="ascii") as maps:
        lines = [line.split() for line in maps if library in line]
    return [[int(end, 16) for end in line[0].split("-")] for line in lines if "x" in line[1]]


@contextlib.contextmanager
def held_within(process, thread, library):
    """Stops the thread again and again until it stands there; goes on at the end."""
    if platform.machine() != "x86_64":
        raise unittest.SkipTest("needs x86-64")
    code, registers = _code(process, library), (ctypes.c_ulong * REGISTERS)()
    _ptrace(SEIZE, thread)
    try:
        while True:
            _ptrace(INTERRUPT, thread)
            os.waitpid(thread, WALL)
            _ptrace(GETREGS, thread, ctypes.addressof(registers))
            if any(first <= registers[RIP] < last for first, last in code):
                break
            _ptrace(CONT, thread)
        yield
    finally:
        with contextlib.suppress(unittest.SkipTest):
            _ptrace(DETACH, thread)
