# SPDX-License-Identifier: BSD-3-Clause
"""spillway keygen: keys of the right length in files of their owner's, nothing overwritten."""
import os
import re
import stat
import subprocess

from harness import ROOT, SPILLWAY, TestCase, main, run

BYTES = {"aes-128-gcm": 20, "aes-192-gcm": 28, "aes-256-gcm": 36, "chacha20-poly1305": 36,
         "aes-128-cbc+sha1": 36, "aes-256-cbc+sha512": 96, "aes-128-ctr+sha256": 52,
         "null+sha1": 20, "null+sha256": 32}


class Keygen(TestCase):
    def keygen(self, *arguments, **how):
        return run(SPILLWAY, "keygen", *arguments, cwd=self.folder, **how)

    def test_standard_output(self):
        for algorithm, length in BYTES.items():
            done = self.keygen(algorithm)
            self.assertRegex(done.stdout, f"^[0-9a-f]{{{2 * length}}}\n$", algorithm)
            self.assertEqual(done.stderr, "")
        self.assertNotEqual(self.keygen("aes-128-gcm").stdout, self.keygen("aes-128-gcm").stdout)

    def test_file(self):
        """Only its owner may read it, whatever the umask lets through."""
        done = self.keygen("aes-256-gcm", "a.key", umask=0)
        self.assertEqual(done.stdout + done.stderr, "")
        path = self.folder / "a.key"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertRegex(path.read_text(), r"^[0-9a-f]{72}\n$")

    def wrong(self, *arguments, status=2, says=(), **how):
        done = self.keygen(*arguments, check=False, **how)
        self.assertEqual(done.returncode, status, done)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in says:
            self.assertIn(word, done.stderr)

    def test_nothing_is_overwritten(self):
        path = self.file("a.key", "mine\n")
        link = self.folder / "b.key"
        link.symlink_to("nowhere")
        for name in ("a.key", "b.key", "."):
            self.wrong("aes-128-gcm", name, says=(name, "is there already"))
        self.assertEqual(path.read_text(), "mine\n")
        self.assertFalse((self.folder / "nowhere").exists())

    def test_bad_use(self):
        for arguments in ((), ("aes-512-gcm",), ("AES-128-GCM", "a.key"), ("--help",), ("",)):
            self.wrong(*arguments, says=("expected ALGORITHM [FILE]", *BYTES))
        for arguments in (("a.key", "b.key"), ("--force",), ("-",), ("",)):
            self.wrong("aes-128-gcm", *arguments, says=("expected aes-128-gcm [FILE]",))
        self.wrong("aes-128-gcm", "no/such/a.key", says=("no/such/a.key: cannot be created",))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_write_errors(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([SPILLWAY, "keygen", "aes-128-gcm"], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output: cannot be written: No space left", done.stderr)
        # No file of more than 16 bytes may be written: there is none then.
        done = run("sh", "-c", f"trap '' XFSZ; exec prlimit --fsize=16 {SPILLWAY} keygen aes-128-gcm a.key",
                   cwd=self.folder, check=False)
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stderr, r"^spillway: keygen: a\.key: cannot be written: .*\n$")
        self.assertEqual(os.listdir(self.folder), [])

    def test_documented(self):
        """docs/reference.md has each algorithm that the program knows, and the bytes of its key."""
        known = self.keygen(check=False).stderr.split("one of: ")[1].strip().split(", ")
        section = (ROOT / "docs" / "reference.md").read_text().split("\n### Algorithms\n")[1]
        rows = re.findall(r"^\| `([^`]+)` \| (\d+) ", section.split("\n### ")[0], re.M)
        self.assertEqual([name for name, _ in rows], known)
        for name, length in rows:
            self.assertEqual(len(self.keygen(name).stdout), 2 * int(length) + 1, name)


if __name__ == "__main__":
    main()
