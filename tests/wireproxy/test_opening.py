"""What a server may answer to the gateway's first question, before the client can send anything."""

from __future__ import annotations

import struct

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.capabilities import Capability
from protocols.mysql.handshake import Greeting
from protocols.postgres.messages import error_response, frame
from protocols.postgres.startup import encode_parameter_status, encode_ready
from tests.protocols import mysql_playbook as p
from tests.support.front_door import a_database, wire_pair
from wireproxy.mysql.namespace import MySqlNamespace
from wireproxy.mysql.serving import open_namespace as open_mysql
from wireproxy.mysql.upstream import MySqlUpstream, kill_query
from wireproxy.namespace import PostgresNamespace
from wireproxy.opening import open_namespace
from wireproxy.upstream import Upstream, UpstreamError

READY = encode_ready(b"I")


def row(*values: bytes | None) -> bytes:
    fields = [struct.pack("!i", -1) if each is None else struct.pack("!i", len(each)) + each for each in values]
    return frame(b"D", struct.pack("!H", len(values)) + b"".join(fields))


async def opened(said: bytes, **parameters: str) -> PostgresNamespace:
    """With a server that says this, and then hangs up."""
    ours, theirs = wire_pair()
    with ours, theirs:
        await theirs.send_all(said)
        theirs.sock.shutdown(1)
        return await open_namespace(Upstream(ours, 1, b"abcd", 0, False, dict(parameters)), a_database())


async def test_a_row_in_another_encoding_is_read_in_it() -> None:
    said = row(b'"$user", b\xfccher', b"m\xfcller", b"150004") + READY
    found = (await opened(said, client_encoding="LATIN1", server_encoding="UTF8")).current
    assert (found.search_path, found.user) == (("$user", "bücher"), "müller")
    unread = (await opened(said, client_encoding="UTF8", server_encoding="UTF8")).current
    assert (unread.search_path, unread.user) == ((), "")


@pytest.mark.parametrize(
    "said",
    [
        READY,
        row() + READY,
        row(b"public", b"ann") + READY,
        row(b"public", b"ann", None) + READY,
        row(b"public", b"ann", "١٥٠٠٠٤".encode()) + READY,
        row(b"public", b"ann", b"150004", b"more") + READY,
        frame(b"D", struct.pack("!Hi", 3, 100) + b"public") + READY,
        frame(b"D", struct.pack("!H", 65535)) + READY,
        frame(b"D", b"") + READY,
        frame(b"S", b"no end") + READY,
        error_response("XX000", "no").replace(b"no", b"\xff\xff") + READY,
        encode_parameter_status("a", "b").replace(b"a", b"\xff") + row(None, None, None) + READY,
        frame(b"W", b"") + READY,
        b"",
        b"D\xff\xff\xff\xff",
    ],
)
async def test_a_strange_answer_is_an_error_that_the_client_hears(said: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        await opened(said)
    assert caught.value.reason


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.builds(frame, st.sampled_from([b"D", b"S", b"E", b"T", b"Z"]), st.binary(max_size=20)),
        )
    )
)
async def test_no_answer_raises_anything_else(said: list[bytes]) -> None:
    try:
        await opened(b"".join(said))
    except UpstreamError:
        pass


async def test_a_server_that_says_nothing_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = wire_pair()
    mysql, silent = wire_pair()
    with ours, theirs, mysql, silent:
        with trio.fail_after(11), pytest.raises(UpstreamError) as caught:
            await open_namespace(Upstream(ours, 1, b"abcd", 0, False), a_database())
        assert caught.value.reason == "no answer within 10 s"
        with trio.fail_after(11), pytest.raises(UpstreamError) as caught:
            await open_mysql(mysql_upstream(mysql), a_database(), read_only=False)
        assert caught.value.reason == "no answer within 10 s"


async def test_a_server_that_says_nothing_to_a_kill_is_given_up(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    ours, silent = wire_pair()

    async def connected(*_: object) -> MySqlUpstream:
        return mysql_upstream(ours)

    monkeypatch.setattr("wireproxy.mysql.upstream.connect_mysql", connected)
    with ours, silent, trio.fail_after(11), pytest.raises(UpstreamError) as caught:
        await kill_query(a_database(), 7)
    assert caught.value.reason == "no answer to a KILL"


def mysql_upstream(wire: object) -> MySqlUpstream:
    greeting = Greeting("8.0.36", 1, b"x" * 20, Capability(p.NEW), 45, 2, b"caching_sha2_password")
    return MySqlUpstream(wire, greeting, p.NEW, False, 2)  # type: ignore[arg-type]


async def opened_mysql(*payloads: bytes) -> MySqlNamespace:
    """With a server that takes the SET of the gateway's own, answers its question with these packets, and then hangs up."""
    ours, theirs = wire_pair()

    async def serve() -> None:
        for answer in (p.packets(p.ok(tracks=True)), p.packets(*payloads)):
            await theirs.receive(10_000)
            await theirs.send_all(answer)
        theirs.sock.shutdown(1)

    with ours, theirs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            return await open_mysql(mysql_upstream(ours), a_database(), read_only=False)
    raise AssertionError


STRANGE = {
    "nothing": (),
    "an error": (p.err(),),
    "two to the sixtieth columns": (b"\xfe" + (2**60).to_bytes(8, "little"),),
    "asks for a file": (b"\xfb/etc/passwd",),
    "long rows": tuple(p.result([p.column()], [p.row(b"x" * 100_000)] * 99, p.NEW)),
    "one long row": tuple(p.result([p.column()], [p.row(b"x" * 2_000_000)], p.NEW)),
    "progress without end": (p.progress("x"),) * 100,
    "another result": (p.ok(8),),
}


@pytest.mark.parametrize("what", STRANGE)
async def test_a_strange_answer_of_mysqls_is_an_error_too(what: str) -> None:
    with pytest.RaisesGroup(UpstreamError, flatten_subgroups=True):
        await opened_mysql(*STRANGE[what])


async def test_several_rows_where_one_was_asked_for_leave_the_settings_unknown() -> None:
    found = await opened_mysql(*p.result([p.column()], [p.row(b"ANSI")] * 2, p.NEW))
    assert not found.current.lexing_known
