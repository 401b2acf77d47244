"""RSA, with which a password travels where there is no TLS. Spec: MySQL, caching_sha2_password: OAEP with SHA-1 and MGF1."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from protocols.base import Peer, ProtocolError

KEY_BITS = 2048  # MySQL's own; clients take the key as it comes, and it lives as long as the process
_OAEP = padding.OAEP(mgf=padding.MGF1(algorithm=hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303


class GatewayKey:
    """Made at the start of the process: clients ask for the public part at each login."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        self.public_pem = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def decrypt(self, data: bytes) -> bytes:
        """ValueError when it is not for this key."""
        return self._key.decrypt(data, _OAEP)


def encrypt(public_pem: bytes, data: bytes) -> bytes:
    """With a server's key. ProtocolError when it is none."""
    try:
        key = serialization.load_pem_public_key(public_pem)
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("not RSA")
        return key.encrypt(data, _OAEP)
    except (ValueError, UnsupportedAlgorithm):
        raise ProtocolError("the server's public key cannot be used", peer=Peer.SERVER) from None
