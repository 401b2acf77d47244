"""Sessions of real servers, recorded by `tools/capture_mysql.py`: what is let through comes out as it went in, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import frozen

from protocols.base import Completed, Failed, Forward, Question, Rows
from protocols.mysql.authentication import CACHING_SHA2, Channel, ClientAuthentication
from protocols.mysql.capabilities import Capability
from protocols.mysql.handshake import Greeting, HandshakeResponse, decode_greeting, decode_response
from protocols.mysql.relay import MySqlRelay

CAPTURES = sorted((Path(__file__).parents[1] / "captures/mysql").glob("*.txt"))
PASSWORD = b"a-password-of-the-tests"
CLIENT, SERVER = "C", "S"


@frozen
class Capture:
    greeting: Greeting
    response: HandshakeResponse
    flags: Capability  # that both agreed on
    login: list[tuple[str, bytes]]  # what follows the response, up to the OK
    session: list[tuple[str, bytes]]  # packets, each with who sent it


@pytest.fixture(params=CAPTURES, ids=lambda path: path.stem)
def capture(request: pytest.FixtureRequest) -> Capture:
    lines = [line.split() for line in request.param.read_text("ascii").splitlines() if not line.startswith("#")]
    packets = [(who, bytes.fromhex(digits)) for who, digits in lines]
    greeting = decode_greeting(packets[0][1][4:])
    response = decode_response(packets[1][1][4:], greeting.capabilities)
    ends = next(at for at, (who, raw) in enumerate(packets) if at and who == SERVER and raw[4] == 0)
    return Capture(
        greeting, response, response.capabilities & greeting.capabilities, packets[2 : ends + 1], packets[ends + 1 :]
    )


def test_each_server_was_recorded_with_each_way_of_ending_a_result() -> None:
    assert [path.stem for path in CAPTURES] == [
        f"{server}-{way}" for server in ("mariadb", "mysql") for way in ("deprecate-eof", "eof", "tracking")
    ]


def test_the_gateway_proves_itself_as_a_driver_did(capture: Capture) -> None:
    assert (capture.response.user, capture.response.database) == (b"captured", b"capture")
    assert capture.response.plugin == capture.greeting.plugin
    client = ClientAuthentication(lambda: PASSWORD, Channel(encrypted=False, private=False), lambda _, data: data)
    plugin, proof = client.first(capture.greeting.plugin, capture.greeting.nonce)
    assert (plugin, proof) == (capture.response.plugin, capture.response.proof)
    for who, raw in capture.login:
        assert who == SERVER, "a login that MySQL's cache knew, or one of a single step"
        assert client.receive(raw[4:]) is None
    assert client.done
    assert len(capture.login) == (2 if plugin == CACHING_SHA2 else 1)


@pytest.mark.parametrize("piece", [1, 1000], ids=["byte by byte", "by the packet"])
def test_bytes_out_are_bytes_in(capture: Capture, piece: int) -> None:
    relay = MySqlRelay(None, capture.flags, capture.flags)
    effects: list[object] = []
    for who, raw in capture.session:
        feed, take, other = (
            (relay.feed_client, relay.take_for_server, relay.take_for_client)
            if who == CLIENT
            else (relay.feed_server, relay.take_for_client, relay.take_for_server)
        )
        out = b""
        for start in range(0, len(raw), piece):
            feed(raw[start : start + piece])
            while found := relay.advance():
                effects += found
                for effect in found:
                    if isinstance(effect, Question):
                        relay.decide(effect.ticket, Forward())
            out += b"".join(take())
            assert other() == []
        assert out == raw
    texts = [effect.text for effect in effects if isinstance(effect, Question)]
    assert b"SELECT * FROM t ORDER BY id" in texts
    assert b"SELECT 'at the end'" in texts
    assert sum(isinstance(effect, Failed) for effect in effects) == 3
    assert sum(isinstance(effect, Completed) for effect in effects) > 20
    assert not any(isinstance(effect, Rows) for effect in effects)
