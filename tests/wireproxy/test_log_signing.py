"""Keys: made once, kept private, and refused when others could have used them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from wireproxy.log import KeyFileError, Signer
from wireproxy.log.signing import load_public_keys


def test_a_key_is_made_once_and_its_public_half_lies_beside_it(tmp_path: Path) -> None:
    first = Signer.load_or_create(tmp_path / "state" / "gateway.key")
    again = Signer.load_or_create(tmp_path / "state" / "gateway.key")
    assert first.verifier == again.verifier
    assert load_public_keys(tmp_path / "state" / "gateway.pub") == (first.verifier,)
    assert (tmp_path / "state" / "gateway.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["gateway.key", "gateway.pub"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644, 0o601])
def test_a_key_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "gateway.key"
    Signer.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Signer.load_or_create(path)


def test_workers_that_start_at_once_use_one_key(tmp_path: Path) -> None:
    made: list[Signer] = []
    threads = [
        threading.Thread(target=lambda: made.append(Signer.load_or_create(tmp_path / "gateway.key"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({signer.key_id for signer in made}) == 1
    assert len(made) == 8


def test_a_changed_key_changes_the_public_half_too(tmp_path: Path) -> None:
    old = Signer.load_or_create(tmp_path / "gateway.key")
    (tmp_path / "gateway.key").unlink()
    new = Signer.load_or_create(tmp_path / "gateway.key")
    assert old.key_id != new.key_id
    assert load_public_keys(tmp_path / "gateway.pub") == (new.verifier,)


def test_several_public_keys_may_stand_in_one_file(tmp_path: Path) -> None:
    pems = []
    for name in "ab":
        Signer.load_or_create(tmp_path / name / "gateway.key")
        pems.append((tmp_path / name / "gateway.pub").read_text())
    (tmp_path / "both.pub").write_text("# old and new\n" + "\n".join(pems))
    assert len(load_public_keys(tmp_path / "both.pub")) == 2


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gateway.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        Signer.load_or_create(path)
    with pytest.raises(KeyFileError):
        load_public_keys(path)


def test_keys_of_other_kinds_are_refused(tmp_path: Path) -> None:
    key = generate_private_key(65537, 2048)
    (tmp_path / "rsa").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "rsa").chmod(0o600)
    with pytest.raises(KeyFileError, match="not an Ed25519 key"):
        Signer.load_or_create(tmp_path / "rsa")
    public = X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "x.pub").write_bytes(public)
    with pytest.raises(KeyFileError, match="not Ed25519"):
        load_public_keys(tmp_path / "x.pub")


def test_a_fifo_in_place_of_a_key_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gateway.key", 0o600)
    with pytest.raises(KeyFileError, match="is not a file"):
        Signer.load_or_create(tmp_path / "gateway.key")


def test_a_key_is_in_no_representation_of_its_signer() -> None:
    assert "private" not in repr(Signer.generate()).lower()
