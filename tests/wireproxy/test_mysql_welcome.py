"""The front door for MySQL's clients: who comes in, who does not, and what hostile bytes come to."""

from __future__ import annotations

import trio
from attrs import define, evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base import Peer
from protocols.mysql.authentication import CACHING_SHA2, CLEAR, _over, cached_digest, caching_sha2_proof
from protocols.mysql.caching_sha2 import make_verifier
from protocols.mysql.capabilities import Capability
from protocols.mysql.handshake import Greeting, HandshakeResponse, decode_greeting, encode_response, encode_ssl_request
from protocols.mysql.messages import decode_err
from protocols.mysql.packets import frame
from rules.model import Dialect
from tests.support.front_door import a_config, a_database, a_gate, wire_pair
from wireproxy.config.model import Config, Database, Limits, Listen, User
from wireproxy.identity import AuthenticationFailure
from wireproxy.mysql.keys import GatewayKey, encrypt
from wireproxy.mysql.login import Logins
from wireproxy.mysql.packets import PacketWire
from wireproxy.mysql.welcome import Face, MySqlArrival, finish_welcome, welcome_mysql
from wireproxy.wire import BrokenWire, Wire

C = Capability
SECRET = b"correct horse"
USER = User("ann", mysql_verifier=make_verifier(SECRET.decode(), "wireproxy.tests.salt"))
CONFIG = a_config(a_database(dialect=Dialect.MYSQL), users=(USER,), limits=Limits(startup_timeout_s=5))
LISTEN = Listen(Dialect.MYSQL, "127.0.0.1", 0)
FLAGS = C.PROTOCOL_41 | C.SECURE_CONNECTION | C.PLUGIN_AUTH | C.PLUGIN_AUTH_LENENC | C.CONNECT_WITH_DB | C.CONNECT_ATTRS
KEY = GatewayKey()


@define
class Visit:
    wire: Wire
    packets: PacketWire
    greeting: Greeting
    failures: list[AuthenticationFailure]
    arrived: list[MySqlArrival | None]

    async def respond(self, *, user: str = "ann", database: bytes | None = b"shop", proof: bytes = b"") -> bytes:
        made = proof or caching_sha2_proof(SECRET, self.greeting.nonce)
        attributes = {"program_name": "tests", "_os": "x"}
        response = HandshakeResponse(FLAGS, 1 << 24, 45, user.encode(), made, database, CACHING_SHA2, attributes)
        await self.packets.send(encode_response(response))
        return await self.packets.read(1 << 16)

    async def full(self, password: bytes = SECRET) -> bytes:
        """The way without TLS: the gateway's key, then the password under it."""
        await self.packets.send(b"\2")
        pem = (await self.packets.read(1 << 16))[1:]
        await self.packets.send(encrypt(pem, _over(password + b"\0", self.greeting.nonce)))
        return await self.packets.read(1 << 16)


async def visit(
    client: object, logins: Logins | None = None, listen: Listen = LISTEN, config: Config = CONFIG
) -> Visit:
    """Runs `client` (given a Visit) against the front door."""
    ours, theirs = wire_pair()
    failures: list[AuthenticationFailure] = []
    arrived: list[MySqlArrival | None] = []
    packets = PacketWire(ours, Peer.SERVER)
    gate = a_gate(config, failures)

    async def door() -> None:
        arrival = await welcome_mysql(theirs, listen, config, gate, None, logins or Logins(KEY), Face())
        arrived.append(arrival)
        if arrival is not None:
            await finish_welcome(arrival, 2)

    with ours, theirs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(door)
            greeting = decode_greeting(await packets.read(1 << 16))
            found = Visit(ours, packets, greeting, failures, arrived)
            await client(found)  # type: ignore[operator]
    return found


async def test_a_user_comes_in_with_the_password_and_then_with_a_proof_alone() -> None:
    logins = Logins(KEY)

    async def first(seen: Visit) -> None:
        assert await seen.respond() == b"\1\4"
        assert (await seen.full())[:1] == b"\0"

    async def second(seen: Visit) -> None:
        assert await seen.respond() == b"\1\3"
        assert (await seen.packets.read(1 << 16))[:1] == b"\0"

    for client in (first, second):
        (arrival,) = (await visit(client, logins)).arrived
        assert arrival is not None
        assert (arrival.identity.name, arrival.database.name) == ("ann", "shop")
        assert arrival.parameters["application_name"] == "tests"


async def test_a_digest_goes_with_its_verifier() -> None:
    logins = Logins(KEY)
    logins.digests["ann", "an older verifier"] = cached_digest(SECRET)

    async def client(seen: Visit) -> None:
        assert await seen.respond() == b"\1\4"
        assert (await seen.full())[:1] == b"\0"

    await visit(client, logins)
    assert list(logins.digests) == [("ann", USER.mysql_verifier)]


async def refused(client: object, listen: Listen = LISTEN) -> Visit:
    seen = await visit(client, listen=listen)
    assert seen.arrived == [None]
    assert len(seen.failures) == 1
    return seen


async def test_a_wrong_password_and_an_unknown_name_are_told_alike() -> None:
    said: list[bytes] = []

    async def wrong(seen: Visit) -> None:
        assert await seen.respond() == b"\1\4"
        said.append(decode_err(await seen.full(b"wrong")).message)

    async def unknown(seen: Visit) -> None:
        assert await seen.respond(user="bob") == b"\1\4"
        said.append(decode_err(await seen.full()).message.replace(b"bob", b"ann"))

    await refused(wrong)
    await refused(unknown)
    assert said[0] == said[1]
    assert b"Access denied" in said[0]


async def test_a_verifier_that_cannot_be_read_lets_nobody_in() -> None:
    async def client(seen: Visit) -> None:
        assert await seen.respond() == b"\1\4"
        assert decode_err(await seen.full()).errno == 1045

    config = a_config(a_database(dialect=Dialect.MYSQL), users=(User("ann", mysql_verifier="nonsense"),))
    seen = await visit(client, config=config)
    assert seen.arrived == [None]
    assert "mysql_verifier" in seen.failures[0].reason


async def test_the_database_may_stand_in_the_name_of_the_user() -> None:
    """Programs that dump and administer have no other place for it when they log in."""
    mysql, other = (a_database(name, dialect=Dialect.MYSQL) for name in ("shop", "other"))
    theirs = evolve(a_database("theirs", dialect=Dialect.MYSQL), users=frozenset({"bob"}))
    dotted = User("ann@shop", mysql_verifier=USER.mysql_verifier)

    async def come(user: str, database: bytes | None, *users: User) -> tuple[MySqlArrival | None, bytes]:
        said: list[bytes] = []

        async def client(seen: Visit) -> None:
            await seen.respond(user=user, database=database)
            said.append(await seen.full())

        config = a_config(
            mysql, other, theirs, a_database("facts"), users=(USER, *users), limits=Limits(startup_timeout_s=5)
        )
        return (await visit(client, config=config)).arrived[0], said[0]

    for user, database, found in (
        ("ann@shop", None, mysql),
        ("ann@other", None, other),
        ("ann@other", b"other", other),
        ("ann", b"shop", mysql),
    ):
        arrival, _ = await come(user, database)
        assert arrival is not None
        assert (arrival.identity.name, arrival.database) == ("ann", found)
    for user, database, errno in (
        ("ann@other", b"shop", 1049),  # two of them
        ("ann@theirs", None, 1049),  # somebody else's
        ("ann@facts", None, 1045),  # not of this dialect: it is all a name, and nobody's
        ("ann@nowhere", None, 1045),
        ("@shop", None, 1045),
        ("ann@", None, 1045),
        ("bob@shop", None, 1045),
    ):
        arrival, said = await come(user, database)
        assert arrival is None
        assert decode_err(said).errno == errno, user
    # a user who is called so is who he says, and names the database as ever
    arrival, _ = await come("ann@shop", b"other", dotted)
    assert arrival is not None
    assert (arrival.identity.name, arrival.database) == ("ann@shop", other)


async def test_a_refused_name_with_a_database_is_repeated_whole() -> None:
    """Without its last part it would tell who has proved nothing that there is such a database."""
    said: list[bytes] = []

    async def client(seen: Visit) -> None:
        await seen.respond(user=f"bob@{'shop' if not said else 'nosh'}", database=None)
        said.append(decode_err(await seen.full()).message)

    for _ in range(2):
        await refused(client)
    assert said[1] == said[0].replace(b"bob@shop", b"bob@nosh")


async def test_a_database_that_is_not_there_is_refused_after_the_password_alone() -> None:
    async def client(seen: Visit) -> None:
        assert await seen.respond(database=b"nowhere") == b"\1\4"
        assert decode_err(await seen.full()).errno == 1049

    await refused(client)


async def test_who_names_no_database_gets_the_one_that_is_theirs_and_otherwise_is_told_to_name_one() -> None:
    mysql = a_database(dialect=Dialect.MYSQL)
    other = a_database("other", dialect=Dialect.MYSQL)
    postgres = a_database("facts")

    def config(*databases: Database) -> Config:
        return a_config(*databases, users=(USER,), limits=Limits(startup_timeout_s=5))

    async def client(seen: Visit) -> None:
        await seen.respond(database=None)
        answers.append(await seen.full())

    for databases in ((mysql, postgres), (evolve(other, users=frozenset({"bob"})), mysql)):
        answers: list[bytes] = []
        (arrival,) = (await visit(client, config=config(*databases))).arrived
        assert arrival is not None
        assert arrival.database == mysql
    for databases in ((mysql, other), (postgres, evolve(mysql, users=frozenset({"bob"})))):
        answers = []
        seen = await visit(client, config=config(*databases))
        assert seen.arrived == [None]
        assert decode_err(answers[0]).errno == 1049


async def test_tls_where_there_is_none_and_none_where_it_is_required_are_refused() -> None:
    async def asks(seen: Visit) -> None:
        await seen.packets.send(encode_ssl_request(FLAGS, 0, 45))
        assert (await seen.packets.read(1 << 16))[:1] == b"\xff"

    async def omits(seen: Visit) -> None:
        assert b"encrypted" in await seen.respond()

    await refused(asks)
    await refused(omits, evolve(LISTEN, require_tls=True))


async def test_a_client_that_cannot_switch_is_told_what_it_lacks() -> None:
    async def client(seen: Visit) -> None:
        flags = FLAGS & ~C.PLUGIN_AUTH
        response = HandshakeResponse(flags, 0, 45, b"ann", b"x" * 20, b"shop", "", {})
        await seen.packets.send(encode_response(response))
        assert decode_err(await seen.packets.read(1 << 16)).errno == 1045

    await refused(client)


async def test_a_client_that_offers_its_password_in_clear_is_switched_to_another_method() -> None:
    async def client(seen: Visit) -> None:
        response = HandshakeResponse(FLAGS, 0, 45, b"ann", SECRET + b"\0", b"shop", CLEAR, {})
        await seen.packets.send(encode_response(response))
        assert (await seen.packets.read(1 << 16)).startswith(b"\xfe" + CACHING_SHA2.encode() + b"\0")
        seen.wire.close()

    await visit(client)


async def test_a_response_of_many_megabytes_is_not_waited_for() -> None:
    async def client(seen: Visit) -> None:
        await seen.wire.send_all(b"\xff\xff\xff\1")
        assert b"too long" in await seen.packets.read(1 << 16)

    await refused(client)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=120).map(lambda body: frame(body, 1))))
def test_hostile_bytes_are_turned_away(data: bytes) -> None:
    async def client(seen: Visit) -> None:
        try:
            await seen.wire.send_all(data)
            seen.wire.close()
        except BrokenWire:
            pass

    async def run() -> None:
        assert (await visit(client)).arrived == [None]

    trio.run(run)
