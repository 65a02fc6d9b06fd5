#!/usr/bin/env python3
"""Test vectors for aserti3-2d, computed with Python's integers from the specification alone:
https://reference.cash/protocol/forks/2020-11-15-asert

Runs 1 to 5, 9 and 10 have the parameters of Bitcoin Cash Node's `gen_asert_test_vectors.cpp` (MIT); the random ones
draw from a generator written out below, so that the output is the same everywhere.

    python3 aserti3-2d.py > aserti3-2d.txt
"""

BCH_LIMIT = (1 << 224) - 1
EASY_LIMIT = (1 << 255) - 1
HALF_LIFE = 2 * 24 * 3600


def decode(bits):
    size, mantissa = bits >> 24, bits & 0x7FFFFF
    return mantissa >> (8 * (3 - size)) if size <= 3 else mantissa << (8 * (size - 3))


def encode(target):
    size = (target.bit_length() + 7) // 8
    mantissa = target << (8 * (3 - size)) if size <= 3 else target >> (8 * (size - 3))
    if mantissa & 0x800000:
        mantissa >>= 8
        size += 1
    return mantissa | size << 24


def toward_zero(a, b):
    return a // b if a >= 0 else -(-a // b)


def next_target(anchor, limit, spacing, half_life, time_delta, height_delta):
    exponent = toward_zero((time_delta - spacing * (height_delta + 1)) * 65536, half_life)
    shifts = exponent // 65536
    exponent -= shifts * 65536
    factor = ((195766423245049 * exponent + 971821376 * exponent**2 + 5127 * exponent**3 + 2**47) >> 48) + 65536
    target = anchor * factor
    target = target << min(shifts, 512) if shifts >= 0 else target >> min(-shifts, 512)
    target >>= 16
    return min(max(target, 1), limit)


def splitmix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & (2**64 - 1)
        z = state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & (2**64 - 1)
        z = (z ^ z >> 27) * 0x94D049BB133111EB & (2**64 - 1)
        yield z ^ z >> 31


def run(title, bits, deltas, limit=BCH_LIMIT, spacing=600, half_life=HALF_LIFE):
    print(f"# {title}")
    print(f"run {bits:08x} {limit:064x} {spacing} {half_life}")
    for time, height in deltas:
        target = next_target(decode(bits), limit, spacing, half_life, time, height)
        print(f"{time} {height} {encode(target):08x}")


def walk(seed, blocks, spacing, ramp):
    """Blocks whose times are drawn between 0 and twice the spacing, and grow or shrink by a factor every 10 blocks."""
    draws, time = splitmix(seed), 0
    for height in range(blocks):
        time += next(draws) % (2 * spacing + 1) * ramp(height // 10) // 100
        yield time, height


run("run 1: steady blocks at the limit", 0x1D00FFFF, [(1200 + 600 * i, 1 + i) for i in range(10)])
run("run 2: steady blocks at another target", 0x1A2B3C4D, [(1200 + 600 * i, 1 + i) for i in range(10)])
run("run 3: steady blocks at the hardest target", 0x01010000, [(1200 + 600 * i, 1 + i) for i in range(10)])
run("run 4: a half-life later with each block, from the hardest target", 0x01010000,
    [(600 + (600 + HALF_LIFE) * (1 + i), 1 + i) for i in range(225)])
run("run 5: a half-life of blocks at once without time, from the limit", 0x1D00FFFF,
    [(0, 1 + 288 * i) for i in range(225)])
run("run 9: blocks of 300 s", 0x1802AEE8, [(900 + 300 * i, 1 + i) for i in range(10)])
run("run 10: blocks of 900 s", 0x1802AEE8, [(1500 + 900 * i, 1 + i) for i in range(10)])
run("random times, stable", 0x1802AEE8, walk(1, 200, 600, lambda _: 100))
run("random times, ever shorter", 0x1802AEE8, walk(2, 200, 600, lambda k: 100 // (1 + k)))
run("random times, ever longer", 0x1802AEE8, walk(3, 200, 600, lambda k: 100 * (1 + k)))
run("easy limit, 10 s blocks", 0x207FFFFF, walk(4, 200, 10, lambda k: 100 // (1 + k)), EASY_LIMIT, 10, 120)
run("easy limit, out and back", 0x1F012345, walk(5, 200, 10, lambda k: (k % 5) * 60), EASY_LIMIT, 10, 120)
run("ends of the range", 0x1F012345,
    [(t, h) for t in (-(2**63), -(2**31), -1, 0, 1, 2**31, 2**32, 2**63 - 1) for h in (0, 1, 2**31, 2**32 - 1)],
    EASY_LIMIT, 1, 1)
run("the widest limit", 0x2100FFFF, [(t, h) for t in (0, 1, 599, 600, 601, 10**6) for h in (0, 1, 2, 300, 10**5)],
    (1 << 256) - 1)
