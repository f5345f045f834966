# SPDX-License-Identifier: BSD-3-Clause
"""The tests' own frame: what was not tested shows as skipped, and nothing is left behind."""
import os
import pathlib
import subprocess
import sys

from harness import RUN_FOLDER, TestCase, main

TESTS = """import unittest
from harness import CAPTURES, main, spillway

class All(unittest.TestCase):
    def test_parts(self):
        for part in 1, 2:
            with self.subTest(part):
                self.skipTest("none of it")

    def test_whole(self):
        self.skipTest("not that either")

class Half(All):
    def test_some(self):
        for part in 1, 2:
            with self.subTest(part):
                if part == 1:
                    self.skipTest("half of it")

class Wrong(All):
    def test_wrong(self):
        with self.subTest("wrong"):
            self.fail()

class Starts(unittest.TestCase):
    def test_start(self):
        print("STATUS", spillway("--port", "a=net_null0,no-rx=1", "--port", "b=net_null1,no-rx=1",
                                 "--wire", "a:b", "--duration", "1ms").status)

main()
"""


class Harness(TestCase):
    def status(self, name):
        """Exit status and process id of the tests of that name."""
        process = subprocess.Popen([sys.executable, self.file("tests.py", TESTS), name], text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent)})
        self.output = process.communicate(timeout=60)[0]
        return process.returncode, process.pid

    def test_skipped(self):
        """77 is meson's for a skipped test: also where only parts of tests were skipped."""
        for name, status in ("All", 77), ("All.test_parts", 77), ("Half", 0), ("Half.test_parts", 77), ("Wrong", 1):
            with self.subTest(name):
                self.assertEqual(self.status(name)[0], status, self.output)

    def test_no_traces(self):
        status, process = self.status("Starts")
        self.assertEqual(status, 0, self.output)
        self.assertIn("STATUS 0", self.output)
        self.assertEqual([*RUN_FOLDER.glob(f"*-{process}-*"),
                          *pathlib.Path("/dev/hugepages").glob(f"*-{process}-*")], [])


if __name__ == "__main__":
    main()
