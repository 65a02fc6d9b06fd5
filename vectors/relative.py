#!/usr/bin/env python3
"""Test vectors for the relative retarget rule, computed with Python's integers from its description in
docs/chain-spec.md and from the specification of aserti3-2d, whose power of two and rounding it has:
https://reference.cash/protocol/forks/2020-11-15-asert

Each line is a block: the seconds that it took, and the bits of the block after it. The next line is that block.

    python3 relative.py > relative.txt
"""

EASY_LIMIT = (1 << 255) - 1
BCH_LIMIT = (1 << 224) - 1


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


def next_bits(bits, limit, spacing, half_life, took):
    late = min(took, spacing + half_life) - spacing
    # Towards zero, as the specification of aserti3-2d has it.
    exponent = abs(late) * 65536 // half_life * (1 if late >= 0 else -1)
    whole, part = divmod(exponent, 65536)
    factor = ((195766423245049 * part + 971821376 * part**2 + 5127 * part**3 + 2**47) >> 48) + 65536
    target = decode(bits) * factor
    target = target << whole if whole >= 0 else target >> min(-whole, 1024)
    return encode(min(max(target >> 16, 1), limit))


def splitmix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & (2**64 - 1)
        z = state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & (2**64 - 1)
        z = (z ^ z >> 27) * 0x94D049BB133111EB & (2**64 - 1)
        yield z ^ z >> 31


def run(title, bits, times, limit=EASY_LIMIT, spacing=10, half_life=240):
    print(f"# {title}")
    print(f"run {bits:08x} {limit:064x} {spacing} {half_life}")
    for took in times:
        bits = next_bits(bits, limit, spacing, half_life, took)
        print(f"{took} {bits:08x}")


def draws(seed, count, most):
    numbers = splitmix(seed)
    return [next(numbers) % (most + 1) for _ in range(count)]


run("local: on time", 0x1E123456, [10] * 20)
run("local: at once, from the limit", 0x207FFFFF, [0] * 300)
run("local: at once, to the hardest target there is", 0x03000100, [0] * 500)
run("local: late, to the limit", 0x1C123456, [250] * 40)
run("local: around the most that counts", 0x1E123456, [248, 249, 250, 251, 252, 300, 10**6, 2**32 - 1, 0])
run("local: each number of seconds", 0x1D00FFFF, range(0, 260))
run("local: random times around the spacing", 0x1D7FFFFF, draws(1, 500, 20))
run("local: random times, some very late", 0x1B012345, draws(2, 300, 400))
run("ten minutes, half-life of two days", 0x1D00FFFF, draws(3, 200, 1200), BCH_LIMIT, 600, 172800)
run("ten minutes, ever easier", 0x1802AEE8, draws(4, 200, 100000), BCH_LIMIT, 600, 172800)
run("the shortest half-life", 0x1E123456, [0, 1, 2, 3, 0, 0, 1, 5], EASY_LIMIT, 1, 1)
run("a spacing of many half-lives", 0x1E123456, [0, 100, 1000, 1001, 1007, 5000], EASY_LIMIT, 1000, 7)
run("times that go back, as damaged files may have", 0x1E123456, [-1, -10, -240, -(2**32 - 1), 500])
run("the widest limit", 0x2100FFFF, [10, 0, 250, 250, 11], (1 << 256) - 1)
