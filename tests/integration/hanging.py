# SPDX-License-Identifier: BSD-3-Clause
"""A file system that hangs, as one of a server that went away: files open, and no read ever comes back."""
import ctypes
import os
import struct
import threading
import unittest

_libc = ctypes.CDLL(None, use_errno=True)
LOOKUP, FORGET, GETATTR, OPEN, READ, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 15, 26, 36, 42
ENOSYS = 38
ROOT = 1  # inode


class HangingFiles:
    """Mounted on an empty folder; each name in it is a file. `read` is set once somebody waits for a read.

    Waits end when the process is killed, as they do with NFS. Who opens a file again that another
    still reads waits in a way that nothing ends: take another name.
    """

    def __init__(self, folder):
        if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
            raise unittest.SkipTest("needs root and /dev/fuse")
        self.folder = folder
        self.read = threading.Event()
        self.nodes = ROOT
        self.device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0".encode()
        if _libc.mount(b"hanging", os.fsencode(folder), b"fuse", ctypes.c_ulong(0), options):
            os.close(self.device)
            raise unittest.SkipTest(f"needs mount(2) of FUSE: {os.strerror(ctypes.get_errno())}")
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        """What still waits gets an error. The server's own read ends with it."""
        _libc.umount2(os.fsencode(self.folder), 3)  # forced, and lazily
        self.thread.join(10)
        os.close(self.device)

    def _serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 17)
            except OSError:
                return
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            if opcode == READ:
                self.read.set()
            elif opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
                body = self._answer(opcode, node)
                error = 0 if body is not None else -ENOSYS
                os.write(self.device, struct.pack("<IiQ", 16 + len(body or b""), error, unique) + (body or b""))

    def _attributes(self, node):
        mode = 0o40755 if node == ROOT else 0o100644
        return struct.pack("<6Q10I", node, 4096, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _answer(self, opcode, node):
        if opcode == INIT:  # 7.31, reads beside each other: those that wait for them can be killed
            return struct.pack("<4I2HIIHHI7I", 7, 31, 0, 1, 12, 9, 1 << 16, 1, 0, 0, *[0] * 8)
        if opcode == LOOKUP:
            self.nodes += 1
            return struct.pack("<4QII", self.nodes, 0, 60, 60, 0, 0) + self._attributes(self.nodes)
        if opcode == GETATTR:
            return struct.pack("<QII", 60, 0, 0) + self._attributes(node)
        if opcode == OPEN:
            return struct.pack("<QII", 0, 0, 0)
        return None
