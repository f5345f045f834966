# SPDX-License-Identifier: BSD-3-Clause
"""Replay windows against a naive one, on captures: see associations.py."""
import itertools
import struct

from associations import HIGHEST, INLINE, IpsecCase
from harness import main


class Window:
    """Replay protection (RFC 4303, 3.4.3 and appendix A), naively: a set of what was seen."""

    def __init__(self, size, esn):
        self.size, self.esn, self.top, self.seen = size, esn, 0, set()

    def whole(self, low):
        """The sequence number that a packet's lower half stands for: the only one in or after the
        window. Negative: there is none."""
        if not self.esn:
            return low
        near = self.top - self.size + 1
        whole = near & ~HIGHEST | low
        return whole if whole >= near else whole + (1 << 32)

    def take(self, sequence):
        """The reasons to drop it that a receiver may find, none: taken.

        One that looks at the window for several packets before it decrypts them may still find a
        double of what the packets between have pushed out. With ESN a receiver that does not takes
        what is too old for a packet that is yet to come, which its ICV denies.
        """
        if sequence <= 0 or sequence <= self.top - self.size:
            return ({"esp_too_old"} | ({"esp_replayed"} if sequence in self.seen else set())
                    | ({"esp_bad_icv"} if self.esn else set()))
        if sequence in self.seen:
            return {"esp_replayed"}
        if self.whole(sequence & HIGHEST) != sequence:
            raise ValueError(f"{sequence}: no receiver can know its upper half")
        self.seen.add(sequence)
        self.top = max(self.top, sequence)
        return None


class Replay(IpsecCase):
    """The window's edges, disorder, duplicates, and the roll-over of the lower half."""

    def replayed(self, sequences, window, esn, shape=INLINE):
        """Sends these sequence numbers. The oracle says what must come out."""
        one = self.association("in", "aes-128-gcm", esn=esn, replay_window=window)
        oracle_window = Window(window, esn)
        frames, expected, reasons = [], [], []
        for number, sequence in enumerate(sequences):
            frame = one.frame(struct.pack("!QI", sequence, number))
            frames.append(one.sa.encrypt(frame, sequence))
            reason = oracle_window.take(sequence)
            if reason:
                reasons.append(reason)
            else:
                expected.append(frame)
        done = self.through(frames, [one], shape=shape)
        self.same(done.out, expected, (window, esn))
        self.assert_drops(done.report, reasons)

    def test_edges(self):
        for window, esn in itertools.product((32, 64, 128, 1000, 1024, 16384), (False, True)):
            if esn and window < 64:
                continue  # with ESN it is 64 at least
            with self.subTest(window=window, esn=esn):
                top = 3 * window
                self.replayed([top, top, top - 1, top - window + 1, top - window + 1, top - window,
                               top + 1, top - window + 1, top - window + 2, top + window,
                               top + 1, top, 1], window, esn)

    def test_disorder(self):
        for window, esn in itertools.product((32, 64, 1024), (False, True)):
            if esn and window < 64:
                continue
            with self.subTest(window=window, esn=esn):
                sequences, top = [], 1
                for _ in range(2000):
                    top += self.chance.choice((0, 1, 1, 1, 2, window // 3))
                    back = self.chance.choice((0, 0, 1, self.chance.randrange(2 * window)))
                    sequences.append(max(1, top - back))
                self.replayed(sequences, window, esn)

    def test_one_window_apart(self):
        """Numbers that a ring as large as the window takes for one, the higher yet to come."""
        for window in (64, 128, 192, 1000, 1024, 16384):
            with self.subTest(window=window):
                top = 5 * window // 64 * 64 + 10
                self.replayed([top - 1, top - window, top], window, True)

    def test_roll_over(self):
        """The lower half goes through 2^32: with ESN it goes on."""
        # Leaps, each with time to be noticed: a receiver may take what it got at once together.
        start = [leap + step for leap in (0x7FFFFF00, 0xFFFF0000) for step in range(200)]
        around = list(range((1 << 32) - 40, (1 << 32) + 40))
        self.chance.shuffle(around)
        self.replayed(start + around + around[:10] + [(1 << 32) + 2000, (1 << 32) + 20], 128, True)

    def test_no_window(self):
        """replay-window = 0: nothing is refused."""
        one = self.association("in", replay_window=0)
        frames = [one.frame(bytes([sequence])) for sequence in (5, 5, 1, 9, 5)]
        done = self.through([one.sa.encrypt(frame, sequence) for frame, sequence in zip(
            frames, (5, 5, 1, 9, 5))], [one])
        self.same(done.out, frames)

    def test_without_esn_it_ends(self):
        """Nothing follows 2^32 - 1."""
        self.replayed([0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFF], 64, False)

    def test_forged(self):
        """A packet with a wrong ICV does not move the window."""
        one = self.association("in", replay_window=64)
        good = [one.frame(bytes([number]), number) for number in range(1, 5)]
        frames = [one.sa.encrypt(frame, number) for number, frame in enumerate(good, 1)]
        forged = bytearray(one.sa.encrypt(good[0], 1_000_000))
        forged[-1] ^= 1
        done = self.through(frames[:2] + [bytes(forged)] + frames[2:], [one])
        self.same(done.out, good)
        self.assertEqual(done.report.drops, {"esp_bad_icv": 1})


if __name__ == "__main__":
    main()
