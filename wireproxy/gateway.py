"""The running gateway: listeners, sessions, targets, the desk, the control socket, and what they share."""

from __future__ import annotations

import hmac
import os
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog
import trio
from attrs import Factory, define

from protocols.base import ProtocolError
from protocols.postgres.messages import error_fields
from wireproxy import __version__
from wireproxy.approvals import Binding, Desk, Request
from wireproxy.config.load import ConfigErrors, load
from wireproxy.config.model import Config, Listen
from wireproxy.control import ControlHooks, ControlRefused, serve_control
from wireproxy.identity import AuthenticationFailure, Identification, may_connect
from wireproxy.log import Auditor, LogError, SessionLog, SessionStart, Signer, close_ledgers, new_session_id
from wireproxy.metrics import Metrics, serve_http
from wireproxy.opening import READ_ONLY, open_namespace
from wireproxy.pump import Hub
from wireproxy.session import Session, where
from wireproxy.store import open_store
from wireproxy.store.model import StoreError
from wireproxy.target import Bench, CatalogError, Target
from wireproxy.tls import ServerCertificate, certificate_for
from wireproxy.upstream import Upstream, UpstreamError, connect
from wireproxy.webhook import Webhook
from wireproxy.welcome import Arrival, CancelArrival, finish_welcome, new_secret, refuse_welcome, welcome
from wireproxy.wire import BrokenWire, Wire

ACCEPT_PAUSE_S = 0.1  # out of file descriptors: the next accept would fail as well
BACKLOG = 256
LAST_WORDS_S = 5.0  # what a session that is ended may take to tell its client and close its log


def minute_of_week() -> int:
    now = datetime.now()
    return now.weekday() * 1440 + now.hour * 60 + now.minute


@define
class _Live:
    """A session that is open, and the secret that cancels it."""

    session: Session
    process_id: int
    secret: bytes
    started_s: float = Factory(time.time)


class Gateway:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.hub = Hub()
        self.metrics = Metrics()
        self.sessions: dict[str, _Live] = {}
        self.targets: dict[str, Target] = {}
        self.draining = False
        self._pending = 0  # connections that are not sessions yet
        self._diagnostics = structlog.get_logger("gateway")
        self._signer = Signer.load_or_create(config.log.signing_key or config.state_dir / "gateway.key")
        self._auditors = tuple(Auditor.load(path) for path in config.log.auditors)
        self._mask_key = mask_key(config.state_dir / "mask.key")
        self._identification = Identification(
            config, report=self._login_failed, report_keys=lambda text: self._diagnostics.warning("keys", reason=text)
        )
        self.stopped = trio.Event()
        self._session_ended = trio.Event()
        self.desk: Desk | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled or drained."""
        store = await open_store(self.config)
        webhook = await Webhook.of(self.config.approvals, time.time_ns, self.config.gateway)
        self.desk = Desk(
            store,
            time.time_ns,
            self.config.approvals,
            on_new=webhook.announce if webhook is not None else None,
            on_vote=self._voted,
        )
        self._log = self._open_log()
        try:
            async with trio.open_nursery() as nursery:
                if webhook is not None:
                    nursery.start_soon(webhook.run)
                nursery.start_soon(self.hub.run)
                nursery.start_soon(self.desk.run)
                nursery.start_soon(self._tick, nursery)
                hooks = ControlHooks(
                    status=self.status,
                    sessions=self.describe_sessions,
                    reload=self.reload_for_control,
                    preview=self.preview,
                    clock_ns=time.time_ns,
                )
                await nursery.start(
                    serve_control, self.config.control_socket, self.desk, hooks, lambda: self.config.approvers
                )
                if self.config.http is not None:
                    await nursery.start(serve_http, self.config.http, self.metrics, self.ready, self._requests)
                for listen in self.config.listen:
                    sock = await bind(listen)
                    certificate = certificate_for(listen, self._report)
                    nursery.start_soon(self._accept, nursery, sock, listen, certificate)
                task_status.started()
                await self.stopped.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._log.end("the gateway stopped")
            await self.desk.aclose()
            close_ledgers()
            self.hub.close()

    # -- accepting

    async def _accept(
        self,
        nursery: trio.Nursery,
        listener: trio.socket.SocketType,
        listen: Listen,
        certificate: ServerCertificate | None,
    ) -> None:
        with listener:
            self._diagnostics.info("listening", dialect=listen.dialect.value, host=listen.host, port=listen.port)
            while not self.draining:
                try:
                    connection, _ = await listener.accept()
                except OSError as error:
                    self._diagnostics.warning("accept_failed", error=str(error))
                    await trio.sleep(ACCEPT_PAUSE_S)
                    continue
                sock = socket.socket(fileno=connection.detach())
                sock.setblocking(False)
                if len(self.sessions) + self._pending >= self.config.limits.sessions * 2:
                    sock.close()  # not even a handshake: somebody opens connections faster than they can be refused
                    continue
                nursery.start_soon(self._attend, sock, listen, certificate)

    async def _attend(self, sock: socket.socket, listen: Listen, certificate: ServerCertificate | None) -> None:
        """One connection, from its first byte to its last. Nothing that happens here ends another one."""
        self._pending += 1
        self.metrics.connections += 1
        counted = True
        try:
            with Wire(sock) as wire:
                arrival = await welcome(wire, listen, self.config, self._identification, certificate)
                self._pending -= 1
                counted = False
                match arrival:
                    case Arrival():
                        await self._serve(arrival)
                    case CancelArrival():
                        await self._cancel(arrival)
                    case None:
                        self.metrics.refused_logins += 1
        except (BrokenWire, ProtocolError) as error:
            self._diagnostics.info("connection_ended", error=str(error))
        except Exception as error:  # noqa: BLE001  a bug of ours ends one connection, and shows no data
            self._diagnostics.error("internal_error", error=type(error).__name__, where=where(error))
        finally:
            if counted:
                self._pending -= 1

    async def _cancel(self, arrival: CancelArrival) -> None:
        for live in list(self.sessions.values()):
            if live.process_id == arrival.process_id and hmac.compare_digest(live.secret, arrival.secret):
                try:
                    await live.session.cancel()
                except UpstreamError as error:
                    self._diagnostics.info("cancel_failed", reason=error.reason)

    async def _serve(self, arrival: Arrival) -> None:
        try:
            self._admit(arrival)
            target = self.target(arrival.database.name)
            bench = await target.bench(arrival.identity)
            pinned = READ_ONLY if bench.read_only else {}
            upstream = await connect(arrival.database, arrival.parameters, arrival.protocol[1], pinned=pinned)
        except UpstreamError as error:
            self._diagnostics.warning("no_session", database=arrival.database.name, reason=error.reason)
            self.metrics.upstream_errors += 1
            refuse_welcome(arrival.wire, error)
            return
        except CatalogError as error:
            refuse_welcome(arrival.wire, UpstreamError("58000", f"wireproxy: {error}"))
            return
        with upstream.wire:
            try:
                await self._open(arrival, upstream, target, bench)
            except UpstreamError as error:
                self._diagnostics.warning("no_session", database=arrival.database.name, reason=error.reason)
                refuse_welcome(arrival.wire, error)

    def _admit(self, arrival: Arrival) -> None:
        limits = self.config.limits
        if self.draining:
            raise UpstreamError("57P03", "wireproxy: the gateway is shutting down")
        mine = sum(1 for live in self.sessions.values() if live.session.identity.name == arrival.identity.name)
        if len(self.sessions) >= limits.sessions or mine >= limits.sessions_per_user:
            raise UpstreamError("53300", "wireproxy: too many sessions are open")

    async def _open(self, arrival: Arrival, upstream: Upstream, target: Target, bench: Bench) -> None:
        namespace = await open_namespace(upstream)
        session_id = new_session_id()
        secret = new_secret(arrival.protocol)
        start = self._start(session_id, arrival, upstream, bench)
        try:
            log = self._new_log(start)
        except LogError as error:
            raise UpstreamError("58030", "wireproxy: the session log cannot be written", str(error)) from error
        assert self.desk is not None
        scrub = bench.masks.scrub_diagnostic if bench.masks is not None else None
        try:
            await finish_welcome(arrival.wire, upstream, upstream.process_id, secret, scrub=scrub)
        except BrokenWire:
            log.end("the client hung up")
            raise
        session = Session(
            self.hub, arrival, upstream, target, bench, self.desk, log, self.config, self.metrics, namespace,
            time.monotonic_ns, minute_of_week,
        )  # fmt: skip
        self.sessions[session_id] = _Live(session, upstream.process_id, secret)
        self.metrics.sessions_opened += 1
        try:
            await session.run()
        finally:
            del self.sessions[session_id]
            self._session_ended.set()
            self._session_ended = trio.Event()
            self.metrics.sessions_closed += 1

    def _start(self, session_id: str, arrival: Arrival, upstream: Upstream, bench: Bench) -> SessionStart:
        database = arrival.database
        return SessionStart(
            session=session_id,
            started_ns=time.time_ns(),
            identity=arrival.identity.name,
            database=database.name,
            dialect=database.dialect.value,
            groups=tuple(sorted(arrival.identity.groups)),
            source=arrival.identity.source,
            issuer=arrival.identity.issuer,
            subject=arrival.identity.subject,
            client=arrival.client,
            application_name=arrival.parameters.get("application_name", ""),
            target_host=database.host,
            target_port=database.port,
            target_dbname=database.dbname,
            target_user=database.user,
            server_version=upstream.parameter_status.get("server_version", ""),
            policy=bench.policy,
            policy_version=bench.policy_version,
            config_version=self.config.version,
            gateway=self.config.gateway,
            wireproxy=__version__,
            protocol=f"{arrival.protocol[0]}.{arrival.protocol[1]}",
            tls="yes" if arrival.tls else "",
            parameters=dict(arrival.parameters),
            server_process_id=upstream.process_id,
            rows=self.config.log.rows,
        )

    def _open_log(self) -> SessionLog:
        """The gateway's own log: what concerns no session, or one that has ended. Raises LogError."""
        start = SessionStart(
            session=new_session_id(),
            started_ns=time.time_ns(),
            identity=self.config.gateway,
            database="",
            source="gateway",
            config_version=self.config.version,
            gateway=self.config.gateway,
            wireproxy=__version__,
        )
        return self._new_log(start)

    def _new_log(self, start: SessionStart) -> SessionLog:
        """Raises LogError."""
        settings = self.config.log
        return SessionLog(settings.directory, start, self._signer, sync=settings.sync, auditors=self._auditors)

    def _voted(self, request: Request) -> None:
        vote = request.votes[-1]
        self._note(
            "vote",
            request=request.id,
            state=request.state.value,
            approver=vote.approver,
            principal=vote.principal,
            approve=str(vote.approve).lower(),
            reason=vote.reason,
            requester=request.facts.identity.name,
            session=request.facts.session_id,
            digest=request.digest.hex(),
        )

    def _note(self, name: str, **detail: str) -> None:
        try:
            self._log.event(name, detail)
        except LogError as error:
            self._diagnostics.error("log_failed", error=str(error))

    def target(self, name: str) -> Target:
        target = self.targets.get(name)
        if target is None:
            target = self.targets[name] = Target(self.config.databases[name], self.config, self._mask_key)
        return target

    # -- running

    async def _tick(self, nursery: trio.Nursery) -> None:
        while True:
            await trio.sleep(1)
            for target in list(self.targets.values()):
                if target.due:
                    nursery.start_soon(target.renew)
            for live in list(self.sessions.values()):
                live.session.tick()
            try:
                self._log.tick()
            except LogError as error:
                self._diagnostics.error("log_failed", error=str(error))

    def _report(self, text: str) -> None:
        self._diagnostics.warning("certificate", reason=text)

    def _login_failed(self, failure: AuthenticationFailure) -> None:
        self._diagnostics.warning(
            "login_failed", user=failure.user, client=failure.address, database=failure.database, reason=failure.reason
        )

    async def reload(self) -> None:
        """Read the configuration again. Raises ConfigErrors, and changes nothing then."""
        try:
            config = await trio.to_thread.run_sync(load, self.config.path)
            gate = self._identification.renewed(config)
        except (ConfigErrors, ValueError):
            self.metrics.reload_failures += 1
            raise
        kept = ("state_dir", "control_socket", "http", "listen", "log")
        changed = [name for name in kept if getattr(config, name) != getattr(self.config, name)]
        if changed:
            self._diagnostics.warning("needs_restart", settings=changed)
        self.config = config
        self._identification = gate
        self.metrics.reloads += 1
        for name in list(self.targets):
            database = config.databases.get(name)
            if database is None:
                del self.targets[name]
            else:
                self.targets[name].reconfigure(database, config)
        for live in list(self.sessions.values()):
            self._reconfigure(live.session, config)
        assert self.desk is not None
        self.desk.defaults = config.approvals
        self._note("reloaded", config_version=config.version)
        self._diagnostics.info("reloaded", version=config.version)

    def _reconfigure(self, session: Session, config: Config) -> None:
        database = config.databases.get(session.database.name)
        known = session.identity.source != "user" or session.identity.name in config.users
        if database is None or not known or not may_connect(database, session.identity):
            session.end(
                "access was withdrawn",
                error_fields("57P01", "wireproxy: access to this database was withdrawn", severity="FATAL"),
            )
            return
        session.reconfigured(config)

    async def reload_for_control(self) -> Mapping[str, object]:
        try:
            await self.reload()
        except (ConfigErrors, ValueError) as error:
            raise ControlRefused(str(error)) from error
        return {"version": self.config.version}

    async def drain(self) -> None:
        """No new sessions; those that are open end when they are idle, and at the latest after `drain_s`."""
        self.draining = True
        self._diagnostics.info("draining", sessions=len(self.sessions))
        with trio.move_on_after(self.config.drain_s):
            while self.sessions:
                self._end_sessions(only_idle=True)
                with trio.move_on_after(0.1):  # those that were not idle may be by then
                    await self._session_ended.wait()
        self._end_sessions(only_idle=False)
        with trio.move_on_after(LAST_WORDS_S):
            while self.sessions:
                await self._session_ended.wait()
        self.stopped.set()

    def _end_sessions(self, *, only_idle: bool) -> None:
        fields = error_fields(
            "57P01", "terminating connection due to administrator command", hint="The gateway stops; connect again.",
            severity="FATAL",
        )  # fmt: skip
        for live in list(self.sessions.values()):
            if live.session.idle or not only_idle:
                live.session.end("the gateway stopped", fields)

    # -- faces

    def status(self) -> Mapping[str, object]:
        return {
            "version": __version__,
            "gateway": self.config.gateway,
            "config": str(self.config.path),
            "config_version": self.config.version,
            "sessions": len(self.sessions),
            "held": sum(1 for live in self.sessions.values() if live.session.held is not None),
            "draining": self.draining,
            "listen": [f"{listen.dialect.value} {listen.host}:{listen.port}" for listen in self.config.listen],
        }

    def describe_sessions(self) -> Sequence[Mapping[str, object]]:
        return [
            {
                "session": name,
                "identity": live.session.identity.name,
                "database": live.session.database.name,
                "client": live.session.arrival.client,
                "started": live.started_s,
                "held": live.session.held,
            }
            for name, live in self.sessions.items()
        ]

    async def _requests(self) -> Mapping[str, int]:
        assert self.desk is not None
        return {state.value: number for state, number in (await self.desk.count()).items()}

    async def ready(self) -> Mapping[str, str]:
        """What keeps the gateway from serving, by part; empty when nothing does."""
        problems: dict[str, str] = {}
        if self.draining:
            problems["gateway"] = "draining"
        if not os.access(self.config.log.directory, os.W_OK):
            problems["log"] = "the log directory cannot be written"
        assert self.desk is not None
        try:
            await self.desk.check()
        except StoreError as error:
            problems["store"] = str(error)
        return problems

    async def preview(self, request: Request, binding: Binding) -> Mapping[str, object]:
        database = self.config.databases.get(request.database)
        if database is None:
            raise ControlRefused(f"the database {request.database} is not in the configuration any more")
        return await self.target(database.name).preview(request, binding)


async def bind(listen: Listen) -> trio.socket.SocketType:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    await sock.bind((listen.host, listen.port))
    sock.listen(BACKLOG)
    return sock


def mask_key(path: Path) -> bytes:
    """The key of hash and pseudonym maskers: made at the first start, then the same for ever."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        key = os.urandom(32)
        file.write(key)
    return key
