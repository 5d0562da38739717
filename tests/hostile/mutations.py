"""Bytes changed, moved, doubled and replaced by what readers trip over."""

import random
import struct

BOUNDARIES = (0, 1, 2, 5, 6, 7, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
WORDS = (
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"\xfe\xff\x0d\xe0\0\0\0\0",
    b"\xfe\xff\xdd\xe0\0\0\0\0",
    b"SQ\0\0\xff\xff\xff\xff",
    b"UN\0\0\xff\xff\xff\xff",
    b"1.2.840.10008.1.2.1.99",
    b"1.2.840.10008.1.2.2\0",
    b"1.2.840.10008.1.2\0",
    b"DICM",
    b"\\",
)


def mutated(data: bytes, dice: random.Random) -> bytes:
    """`data` with some bytes changed, moved, doubled, or replaced by what readers trip over."""
    made = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        at = dice.randrange(len(made) + 1)
        # most of what decides stands in front
        at = at if dice.random() < 0.5 else min(at, 600)
        match dice.randrange(7):
            case 0:
                made[at : at + 1] = bytes((dice.randrange(256),))
            case 1:
                number = dice.choice(BOUNDARIES)
                made[at : at + 4] = struct.pack(dice.choice("<>") + "I", number)
            case 2:
                made[at : at + 2] = struct.pack(dice.choice("<>") + "H", dice.choice(BOUNDARIES) & 0xFFFF)
            case 3:
                del made[at : at + dice.choice((1, 2, 4, 8, 100, len(made)))]
            case 4:
                made[at:at] = made[at : at + dice.choice((1, 8, 64, 1000))] * dice.choice((1, 2, 30))
            case 5:
                made[at:at] = dice.choice(WORDS) * dice.choice((1, 1, 200))
            case 6:
                made[at:at] = dice.randbytes(dice.choice((1, 6, 50)))
    return bytes(made)
