#!/usr/bin/env python3
"""MuHash3072 with Python's big integers; writes muhash.json beside itself.

A second implementation that shares nothing with the first: the numbers it gives are what the tests compare with.
"""
import hashlib
import json
import pathlib
import struct

P = 2**3072 - 1103717


def rotl(x, n):
    return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF


def quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        s[z] = rotl(s[z] ^ s[x], n)


def keystream(key, blocks):
    out = b""
    for counter in range(blocks):
        init = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key)) + [counter, 0, 0, 0]
        s = init[:]
        for _ in range(10):
            for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                      (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                quarter(s, *q)
        out += struct.pack("<16I", *((x + y) & 0xFFFFFFFF for x, y in zip(s, init)))
    return out


def element(data):
    return int.from_bytes(keystream(hashlib.sha256(data).digest(), 6), "little")


def digest(insert, remove):
    value = 1
    for data in insert:
        value = value * element(data) % P
    below = 1
    for data in remove:
        below = below * element(data) % P
    value = value * pow(below, -1, P) % P
    return hashlib.sha256(value.to_bytes(384, "little")).digest()[::-1].hex()


def number(n):
    return bytes([n]) + bytes(31)


CASES = [
    ([], []),
    ([number(0)], []),
    ([], [number(0)]),
    # The set of Bitcoin Core's own unit test, which expects 10d312b1…7d5863.
    ([number(0), number(1)], [number(2)]),
    ([b""], []),
    ([bytes(range(n)) for n in range(100)], []),
    ([bytes(range(n)) for n in range(100)], [bytes(range(n)) for n in range(0, 100, 3)]),
    ([number(n) for n in range(200)], [bytes([n]) * 70 for n in range(50)]),
]

A = int.from_bytes(keystream(bytes([1]) * 32, 6), "little") % P
B = int.from_bytes(keystream(bytes([2]) * 32, 6), "little") % P
NUMBERS = [
    (A, B), (P - 1, P - 1), (P - 1, 1), (2**3071, 2), (2**3072 - 1, 2**3072 - 1), (2**3072 - 1, 1), (P, A), (1, 1),
    (1103716, 2**3071 + 1), (2**64 - 1, 2**64 - 1),
]


def limbs(n):
    return n.to_bytes(384, "little").hex()


out = {
    "what": "Made by muhash.py. Elements and numbers are hex, numbers little-endian; digests as Bitcoin Core prints them.",
    "sets": [{"insert": [d.hex() for d in i], "remove": [d.hex() for d in r], "digest": digest(i, r)} for i, r in CASES],
    "products": [{"a": limbs(a), "b": limbs(b), "product": limbs(a * b % P)} for a, b in NUMBERS],
    "inverses": [{"of": limbs(a), "inverse": limbs(pow(a, -1, P))} for a in (A, B, P - 1, 2, 2**3072 - 1, 1)],
    "keystream": {"key": bytes(range(32)).hex(), "bytes": keystream(bytes(range(32)), 6).hex()},
}
pathlib.Path(__file__).with_name("muhash.json").write_text(json.dumps(out, indent=1) + "\n")
