"""`wireproxy init`: what it writes can be started from, and nothing is overwritten."""

from __future__ import annotations

import datetime
import os
import ssl
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from wireproxy.cli import cli
from wireproxy.cli import init as module
from wireproxy.config.load import load_with_warnings
from wireproxy.log import Signer
from wireproxy.tls import load_server_tls

FILES = {"wireproxy.toml", "gateway.key", "gateway.pub", "server.key", "server.crt"}


def run(folder: Path) -> Result:
    return CliRunner().invoke(cli, ["init", str(folder)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "new" / "place"
    assert run(made).exit_code == 0
    return made


def test_with_a_first_user_the_configuration_is_right(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "x")
    CliRunner().invoke(cli, ["user", "add", "claude", "--generate", "-c", str(folder / "wireproxy.toml")])
    config, warnings = load_with_warnings(folder / "wireproxy.toml")
    assert warnings == ()
    assert config.state_dir == folder / "state"
    assert config.log.signing_key == folder / "gateway.key"
    assert config.databases["shop"].policy == "agent-default"
    assert next(iter(config.approvers.values())).groups == {"dba"}


def test_a_user_can_be_added_at_once(folder: Path) -> None:
    path = folder / "wireproxy.toml"
    before = path.read_text()
    added = CliRunner().invoke(cli, ["user", "add", "claude", "--generate", "-c", str(path)])
    assert added.exit_code == 0
    assert path.read_text().startswith(before)
    assert "claude" in load_with_warnings(path)[0].users


def test_keys_are_for_their_owner_alone(folder: Path) -> None:
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in os.listdir(folder)}
    keys = {"gateway.key": 0o600, "server.key": 0o600}
    assert modes == {"wireproxy.toml": 0o640, "gateway.pub": 0o644, "server.crt": 0o644, **keys}


def test_the_gateway_takes_its_keys(folder: Path) -> None:
    public = (folder / "gateway.pub").read_bytes()
    Signer.load_or_create(folder / "gateway.key")
    assert (folder / "gateway.pub").read_bytes() == public
    tls = load_server_tls(folder / "server.crt", folder / "server.key")
    assert tls.binding is not None  # SCRAM-SHA-256-PLUS works with it


def test_a_client_can_verify_the_certificate(folder: Path) -> None:
    """As its own root: verify-full against localhost."""
    client = ssl.create_default_context(cafile=folder / "server.crt")
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # Python 3.13's default
    server = load_server_tls(folder / "server.crt", folder / "server.key").context
    for name in ("localhost", "127.0.0.1", "::1"):
        _shake_hands(client, server, name)


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(back, there, server_hostname=name)
    other = server.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for end in (here, other):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert here.version() is not None


def test_the_certificate_ends_in_a_year() -> None:
    now = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    _, pem = module.self_signed("ünïcode" * 20, now)
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.not_valid_after_utc - now == datetime.timedelta(days=365)


@pytest.mark.parametrize("name", sorted(FILES))
def test_nothing_is_overwritten_and_nothing_half_made(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    result = run(tmp_path)
    assert result.exit_code == 1
    assert f"{name} already" in result.output
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "server.key").symlink_to(tmp_path / "elsewhere")
    assert run(tmp_path).exit_code == 1
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(tmp_path / "file" / "below")
    assert result.exit_code == 1
    assert "file" in result.output


def test_below_etc_the_state_goes_to_var_lib() -> None:
    assert 'state_dir = "/var/lib/wireproxy"' in module.configuration(Path("/etc/wireproxy"), "dana")
    assert 'state_dir = "state"' in module.configuration(Path("/home/dana"), "dana")


def test_an_account_name_is_quoted() -> None:
    text = module.configuration(Path("/x"), 'DOMAIN\\da"na')
    assert '[approver."DOMAIN\\\\da\\"na"]' in text
