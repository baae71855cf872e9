"""SipHash-2-4 with tags of 64 bits, from its description: the tests' own, to speak to a service without its code."""

_MASK = 2**64 - 1


def _rotate(word, by):
    return (word << by | word >> (64 - by)) & _MASK


def _rounds(v, count):
    a, b, c, d = v
    for _ in range(count):
        a, c = (a + b) & _MASK, (c + d) & _MASK
        b, d = _rotate(b, 13) ^ a, _rotate(d, 16) ^ c
        a = _rotate(a, 32)
        c, a = (c + b) & _MASK, (a + d) & _MASK
        b, d = _rotate(b, 17) ^ c, _rotate(d, 21) ^ a
        c = _rotate(c, 32)
    return a, b, c, d


def siphash(key, message):
    """Tag of `message` (bytes) under a key of 16 bytes, as an integer."""
    low, high = (int.from_bytes(key[at : at + 8], "little") for at in (0, 8))
    v = tuple(
        half ^ int.from_bytes(text, "big")
        for half, text in zip((low, high, low, high), (b"somepseu", b"dorandom", b"lygenera", b"tedbytes"), strict=True)
    )
    whole = len(message) // 8 * 8
    blocks = [message[at : at + 8] for at in range(0, whole, 8)]
    blocks.append(message[whole:].ljust(7, b"\0") + bytes([len(message) % 256]))
    for block in blocks:
        word = int.from_bytes(block, "little")
        v = _rounds((v[0], v[1], v[2], v[3] ^ word), 2)
        v = (v[0] ^ word, *v[1:])
    a, b, c, d = _rounds((v[0], v[1], v[2] ^ 0xFF, v[3]), 4)
    return a ^ b ^ c ^ d
