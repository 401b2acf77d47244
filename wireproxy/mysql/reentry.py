"""COM_CHANGE_USER: pools give a connection to its next borrower with it, and the borrower proves who he is.

The proof is as at the front door. What comes out must be who the session belongs to, at the database that it has: everything
that was decided for the session (target, policy, masks, its log) hangs on that. Anybody else opens a connection of his own. As
with a server, a proof that fails ends the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio
from attrs import frozen

from protocols.mysql.handshake import HandshakeResponse
from rules.model import Dialect
from wireproxy.config.model import Config
from wireproxy.identity import AccessRefused, AuthenticationFailure, Identification
from wireproxy.mysql.login import Conversation, Known, Login, LoginRefused, Logins, new_nonce

if TYPE_CHECKING:
    from wireproxy.mysql.session import MySqlSession


@frozen
class FrontDoor:
    """What a proof is checked with: as it is when it is checked."""

    config: Callable[[], Config]
    gate: Callable[[], Identification]
    logins: Logins


class Reentry:
    """One COM_CHANGE_USER."""

    def __init__(self, session: MySqlSession, door: FrontDoor, request: HandshakeResponse) -> None:
        self._session = session
        self._door = door
        self._request = request
        self._scope = trio.CancelScope()
        self._stopped = False
        self._answer, self._answers = trio.open_memory_channel[bytes](1)

    def heard(self, payload: bytes) -> None:
        """The client's answer to what it was asked."""
        self._answer.send_nowait(payload)

    def stop(self) -> None:
        """The session ends: nobody waits for the answer."""
        self._stopped = True
        self._scope.cancel()

    async def run(self) -> None:
        session = self._session
        config = self._door.config()
        self._scope.deadline = trio.current_time() + config.limits.startup_timeout_s
        with self._scope as scope:
            try:
                known = await self._known(config)
                self._check(known)
            except AccessRefused as error:
                self._failed(error)
                return
        if self._stopped:
            return
        if scope.cancelled_caught:
            session.fail("57014", "no proof of identity within the startup timeout")
            return
        session.changed_user(self._request)

    async def _known(self, config: Config) -> Known:
        arrival = self._session.arrival
        request = self._request
        given = request.user.decode("utf-8", "replace")
        user, meant = self._door.gate().named_in_user(given, Dialect.MYSQL)
        if user != self._session.identity.name or meant not in (None, self._session.database.name):
            raise LoginRefused(
                given, arrival.client, "COM_CHANGE_USER to another user, or to another database in its name"
            )
        request = request._replace(user=user.encode())
        talk = Conversation(self._ask, self._tell, arrival.tls, arrival.client)
        nonce = new_nonce()
        return await Login(config, self._door.gate(), self._door.logins, talk).run(request, nonce, again=True)

    def _check(self, known: Known) -> None:
        session = self._session
        if known.identity != session.identity:
            raise AccessRefused(
                "28000", "wireproxy: who you are has changed; open another connection", "another identity now"
            )
        wanted = self._request.database
        if wanted is not None and wanted.decode("utf-8", "replace") != session.database.name:
            raise AccessRefused(
                "3D000",
                "wireproxy: COM_CHANGE_USER may not change the database; open another connection",
                "COM_CHANGE_USER to another database",
            )

    async def _ask(self, payload: bytes) -> bytes:
        self._session.say(payload, reads=True)
        return await self._answers.receive()

    async def _tell(self, payload: bytes) -> None:
        self._session.say(payload, reads=False)

    def _failed(self, error: AccessRefused) -> None:
        session = self._session
        failure = AuthenticationFailure(
            session.identity.name, session.arrival.client, error.reason, session.database.name
        )
        self._door.gate().failed(failure, counts=isinstance(error, LoginRefused) and error.guessed)
        session.fail(error.sqlstate, error.message)
