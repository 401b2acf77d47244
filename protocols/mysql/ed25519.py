"""The signature of MariaDB's client_ed25519.

It is Ed25519 with one difference: the secret is the password itself, of any length, where RFC 8032 has a seed of 32 bytes. So
no library's key type takes it, and the arithmetic is done here. Only the gateway's own password of a target is ever signed with,
once for each connection; nothing here runs in constant time, and none of it is measured by a client.

Spec: RFC 8032, 5.1; MariaDB, "Connection Phase", client_ed25519.
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final

_P: Final = 2**255 - 19
_Q: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, _P - 2, _P) % _P

_Point = tuple[int, int, int, int]  # extended coordinates X, Y, Z, T

_BASE_Y: Final = 4 * pow(5, _P - 2, _P) % _P
_BASE_X: Final = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE: Final[_Point] = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)


def _add(first: _Point, second: _Point) -> _Point:
    a = (first[1] - first[0]) * (second[1] - second[0]) % _P
    b = (first[1] + first[0]) * (second[1] + second[0]) % _P
    c = 2 * first[3] * second[3] * _D % _P
    d = 2 * first[2] * second[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(number: int, point: _Point) -> _Point:
    found: _Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            found = _add(found, point)
        point = _add(point, point)
        number >>= 1
    return found


def _compress(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def sign(password: bytes, message: bytes) -> bytes:
    """64 bytes."""
    digest = sha512(password).digest()
    scalar = int.from_bytes(digest[:32], "little")
    scalar = scalar & ((1 << 254) - 8) | (1 << 254)
    public = _compress(_multiply(scalar, _BASE))
    r = int.from_bytes(sha512(digest[32:] + message).digest(), "little") % _Q
    point = _compress(_multiply(r, _BASE))
    challenge = int.from_bytes(sha512(point + public + message).digest(), "little") % _Q
    return point + ((r + challenge * scalar) % _Q).to_bytes(32, "little")


def public_key(password: bytes) -> bytes:
    """What a server keeps of the password."""
    scalar = int.from_bytes(sha512(password).digest()[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    return _compress(_multiply(scalar, _BASE))
