"""The running gateway: listeners, sessions, targets, the desk, the control socket, and what they share."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio

from protocols.base import ProtocolError
from protocols.postgres.messages import error_fields
from rules.model import Dialect, Identity
from wireproxy import __version__, pump
from wireproxy.api import serve_api
from wireproxy.approvals import Binding, Desk, Request
from wireproxy.clock import SteadyClock
from wireproxy.config.load import ConfigErrors, load
from wireproxy.config.model import Config, Listen
from wireproxy.control import ControlHooks, ControlRefused, serve_control
from wireproxy.dialects import DIALECTS
from wireproxy.exemptions import POLL_S, Exemptions
from wireproxy.face import Face
from wireproxy.identity import AuthenticationFailure, Identification, may_connect
from wireproxy.judgement.workers import Workers
from wireproxy.live import Greeting, LiveSessions
from wireproxy.log import (
    Auditor,
    KeyFileError,
    LogError,
    SessionLog,
    SessionStart,
    Signer,
    close_ledgers,
    new_session_id,
)
from wireproxy.metrics import Metrics, serve_http
from wireproxy.port import Connected, Port
from wireproxy.pump import Hub
from wireproxy.session import Session
from wireproxy.store import open_store
from wireproxy.store.model import StoreError
from wireproxy.target import Bench, Target
from wireproxy.tls import ServerCertificate, certificate_for, certificate_for_api
from wireproxy.tokens import Verified
from wireproxy.traces import where
from wireproxy.upstream import UpstreamError
from wireproxy.webhook import Webhook
from wireproxy.welcome import Arrival
from wireproxy.wire import BrokenWire, Wire

ACCEPT_PAUSE_S = 0.1  # out of file descriptors: the next accept would fail as well
BACKLOG = 256
MASK_KEY_BYTES = 32
LAST_WORDS_S = 5.0  # what a session that is ended may take to tell its client and close its log


class Gateway:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.hub = Hub()
        self.metrics = Metrics()
        self.live = LiveSessions()
        self.greeting = Greeting()
        self.targets: dict[str, Target] = {}
        self.draining = False
        self._ports: dict[Dialect, Port[Any]] = {}
        self._diagnostics = structlog.get_logger("gateway")
        self._signer = Signer.load_or_create(config.log.signing_key or config.state_dir / "gateway.key")
        self._auditors = tuple(Auditor.load(path) for path in config.log.auditors)
        self._mask_key = mask_key(config.state_dir / "mask.key")
        limits = config.limits
        self.workers = Workers(
            limits.judging_workers, limits.judging_worker_bytes, limits.judging_s, failed=self._judging_failed
        )
        try:
            self.identification = Identification(
                config,
                report=self._login_failed,
                report_keys=lambda text: self._diagnostics.warning("keys", reason=text),
            )
        except ValueError as error:
            raise KeyFileError(str(error)) from error
        self.stopped = trio.Event()
        self._desk: Desk | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled or drained."""
        clock_ns = SteadyClock()
        store = await open_store(self.config)
        webhook = await Webhook.of(self.config.approvals, time.time_ns, self.config.gateway)
        announce = webhook.announce if webhook is not None else None
        self._desk = Desk(store, clock_ns, self.config.approvals, on_new=announce, on_vote=self._voted)
        self._log = self._open_log()
        self.exemptions = Exemptions(store, clock_ns, self._record, self._masks_changed)
        try:
            await self.exemptions.refresh()
            async with trio.open_nursery() as nursery:
                if webhook is not None:
                    nursery.start_soon(webhook.run)
                nursery.start_soon(self.hub.run)
                nursery.start_soon(self.desk.run)
                nursery.start_soon(self._tick, nursery)
                nursery.start_soon(self._follow_exemptions)
                hooks = ControlHooks(
                    status=self.status,
                    sessions=self.live.describe,
                    reload=self.reload_for_control,
                    preview=self.preview,
                    clock_ns=clock_ns,
                    exemptions=self.exemptions,
                )
                await nursery.start(
                    serve_control, self.config.control_socket, self.desk, hooks, lambda: self.config.approvers
                )
                if self.config.http is not None:
                    await nursery.start(serve_http, self.config.http, self.metrics, self.ready, self._requests)
                if (api := self.config.api) is not None:
                    face = Face(self.desk, self.preview, clock_ns)
                    await nursery.start(
                        serve_api,
                        api,
                        face,
                        lambda: self.config.approvers,
                        self._bearer_identity,
                        certificate_for_api(api, self._report),
                    )
                    self._diagnostics.info("listening", dialect="http", host=api.host, port=api.port)
                for listen in self.config.listen:
                    sock = await bind(listen)
                    certificate = certificate_for(listen, self._report)
                    nursery.start_soon(self._accept, nursery, sock, listen, certificate)
                task_status.started()
                await self.stopped.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._log.end("the gateway stopped")
            await self.workers.aclose()
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
                if len(self.live) + self.live.opening + len(self.greeting) >= self.config.limits.sessions * 2:
                    self.greeting.drop_oldest()
                nursery.start_soon(self._attend, sock, listen, certificate)

    async def _attend(self, sock: socket.socket, listen: Listen, certificate: ServerCertificate | None) -> None:
        """Nothing that happens to one connection ends another one."""
        self.metrics.connections += 1
        try:
            with Wire(sock) as wire:
                await self._port(listen.dialect).attend(wire, listen, certificate)
        except (BrokenWire, ProtocolError) as error:
            self._diagnostics.info("connection_ended", error=str(error))
        except Exception as error:  # noqa: BLE001  a bug of ours ends one connection, and shows no data
            self._diagnostics.error("internal_error", error=type(error).__name__, where=where(error))

    def _port(self, dialect: Dialect) -> Port[Any]:
        port = self._ports.get(dialect)
        if port is None:
            port = self._ports[dialect] = DIALECTS[dialect].port(self)
        return port

    # -- logs

    def session_start(self, session_id: str, arrival: Arrival, connected: Connected, bench: Bench) -> SessionStart:
        """The first record of a session's log."""
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
            server_version=connected.parameter_status.get("server_version", ""),
            policy=bench.policy,
            policy_version=bench.policy_version,
            config_version=self.config.version,
            gateway=self.config.gateway,
            wireproxy=__version__,
            protocol=f"{arrival.protocol[0]}.{arrival.protocol[1]}",
            tls="yes" if arrival.tls else "",
            parameters=dict(arrival.parameters),
            server_process_id=connected.process_id,
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
        return self.new_log(start)

    def new_log(self, start: SessionStart) -> SessionLog:
        """Raises LogError."""
        settings = self.config.log
        return SessionLog(settings.directory, start, self._signer, sync=settings.sync, auditors=self._auditors)

    @property
    def desk(self) -> Desk:
        """From the start of `run` on."""
        assert self._desk is not None
        return self._desk

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

    def _record(self, name: str, **detail: str) -> None:
        """An event that must be in the log before anything is done. Raises LogError."""
        self._log.event(name, detail)

    def _note(self, name: str, **detail: str) -> None:
        try:
            self._log.event(name, detail)
        except LogError as error:
            self._diagnostics.error("log_failed", error=str(error))

    def target(self, name: str) -> Target:
        target = self.targets.get(name)
        if target is None:
            database = self.config.databases[name]
            target = self.targets[name] = DIALECTS[database.dialect].target(
                database, self.config, self._mask_key, self.workers
            )
            target.exemptions = self.exemptions
        return target

    # -- running

    def _masks_changed(self) -> None:
        """Somebody may see a column for a time, or may not any more, or a column has inherited a mask."""
        for target in self.targets.values():
            target.masks_changed()
        for live in self.live:
            live.session.reconfigured(self.config)

    async def _follow_exemptions(self) -> None:
        while True:
            await trio.sleep(POLL_S)
            try:
                await self.exemptions.refresh()
                await self.exemptions.sweep()
            except StoreError as error:  # what is known stays in force, and ends by the clock
                self._diagnostics.warning("store_unreadable", error=str(error))
            except LogError as error:
                self._diagnostics.error("log_failed", error=str(error))

    async def _tick(self, nursery: trio.Nursery) -> None:
        while True:
            await trio.sleep(1)
            for target in list(self.targets.values()):
                if target.due:
                    nursery.start_soon(target.renew)
            for live in self.live:
                live.session.tick()
            try:
                self.exemptions.elapsed()
                self._log.tick()
            except LogError as error:
                self._diagnostics.error("log_failed", error=str(error))

    def _judging_failed(self) -> None:
        self.metrics.judge_failures += 1

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
            gate = self.identification.renewed(config)
        except (ConfigErrors, ValueError):
            self.metrics.reload_failures += 1
            raise
        kept = ("state_dir", "control_socket", "http", "api", "listen", "log")
        changed = [name for name in kept if getattr(config, name) != getattr(self.config, name)]
        if changed:
            self._diagnostics.warning("needs_restart", settings=changed)
        self.config = config
        limits = config.limits
        self.workers.reconfigure(limits.judging_workers, limits.judging_worker_bytes, limits.judging_s)
        self.identification = gate
        self.metrics.reloads += 1
        for name in list(self.targets):
            database = config.databases.get(name)
            if database is None or database.dialect is not self.targets[name].database.dialect:
                del self.targets[name]
            else:
                self.targets[name].reconfigure(database, config)
        for live in self.live:
            self.reconfigure(live.session)
        self.desk.defaults = config.approvals
        self._note("reloaded", config_version=config.version)
        self._diagnostics.info("reloaded", version=config.version)

    def admit_again(self, arrival: Arrival) -> None:
        """Raises UpstreamError for a client that would not be let in now as it was."""
        database = self.config.databases.get(arrival.database.name)
        same = database is not None and database.dialect is arrival.database.dialect
        who = arrival.identity
        if database is None or not same or not still_holds(who, self.config) or not may_connect(database, who):
            message = "wireproxy: access was withdrawn or changed"
            hint = "Connect again: what is allowed now is decided at login."
            fields = error_fields("57P01", message, severity="FATAL", hint=hint)
            raise UpstreamError("57P01", message, "access was withdrawn", fields)

    def reconfigure(self, session: Session) -> None:
        """Ends a session that would not be let in as it was, and has the others judged by what holds now."""
        try:
            self.admit_again(session.arrival)
        except UpstreamError as error:
            session.end(error.reason, error.fields)
        else:
            session.reconfigured(self.config)

    async def reload_for_control(self) -> Mapping[str, object]:
        try:
            await self.reload()
        except (ConfigErrors, ValueError) as error:
            raise ControlRefused(str(error)) from error
        return {"version": self.config.version}

    async def drain(self) -> None:
        """No new sessions; those that are open end when they are idle, and at the latest after `drain_s`."""
        self.draining = True
        self._diagnostics.info("draining", sessions=len(self.live))
        with trio.move_on_after(self.config.drain_s):
            while len(self.live):
                self._end_sessions(only_idle=True)
                with trio.move_on_after(0.1):  # one that was being opened may be there by then
                    await self.live.one_ends()
        self._end_sessions(only_idle=False)
        with trio.move_on_after(LAST_WORDS_S):
            while len(self.live):
                await self.live.one_ends()
        self.stopped.set()

    def _end_sessions(self, *, only_idle: bool) -> None:
        for live in self.live:
            if only_idle:
                live.session.when_idle(partial(self._end_session, live.session))
            else:
                self._end_session(live.session)

    def _end_session(self, session: Session) -> None:
        hint = "The gateway stops; connect again."
        if session.held is not None:
            hint += f" Request {session.held} stays open: run the same statement again then."
        text = "terminating connection due to administrator command"
        session.end("the gateway stopped", error_fields("57P01", text, hint=hint, severity="FATAL"), adjourn=True)

    # -- faces

    def status(self) -> Mapping[str, object]:
        return {
            "version": __version__,
            "compiled": not str(pump.__file__).endswith(".py"),  # by setup.py, where it was asked to
            "gateway": self.config.gateway,
            "config": str(self.config.path),
            "config_version": self.config.version,
            "sessions": len(self.live),
            "held": self.live.held,
            "draining": self.draining,
            "listen": [f"{listen.dialect.value} {listen.host}:{listen.port}" for listen in self.config.listen],
        }

    async def _requests(self) -> Mapping[str, int]:
        return {state.value: number for state, number in (await self.desk.count()).items()}

    async def ready(self) -> Mapping[str, str]:
        """What keeps the gateway from serving, by part; empty when nothing does."""
        problems: dict[str, str] = {}
        if self.draining:
            problems["gateway"] = "draining"
        if not os.access(self.config.log.directory, os.W_OK):
            problems["log"] = "the log directory cannot be written"
        try:
            await self.desk.check()
        except StoreError as error:
            problems["store"] = str(error)
        async with trio.open_nursery() as nursery:
            for name in self.config.databases:
                nursery.start_soon(self._probe, name, problems)
        return problems

    async def _probe(self, name: str, problems: dict[str, str]) -> None:
        reason = await self.target(name).probe()
        if reason is not None:
            problems[f"database {name}"] = reason

    async def _bearer_identity(self, token: bytes, audience: str) -> Verified:
        """By the configuration of now: a reload makes another gate. Raises TokenRefused."""
        return await self.identification.bearer_identity(token, audience)

    async def preview(self, request: Request, binding: Binding) -> Mapping[str, object]:
        database = self.config.databases.get(request.database)
        if database is None:
            raise ControlRefused(f"the database {request.database} is not in the configuration any more")
        return await self.target(database.name).preview(request, binding)


def still_holds(identity: Identity, config: Config) -> bool:
    """Would whoever logged in with this identity get the same one now? Groups decide about policies and masks."""
    if identity.source == "user":
        user = config.users.get(identity.name)
        return user is not None and user.groups == identity.groups
    return any(issuer.issuer == identity.issuer for issuer in config.oidc.values())


async def bind(listen: Listen) -> trio.socket.SocketType:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        await sock.bind((listen.host, listen.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        where_to = f"[listen.{listen.dialect.value}] {listen.host}:{listen.port}"
        raise OSError(f"{where_to}: {error.strerror or error}") from error
    return sock


def mask_key(path: Path) -> bytes:
    """The key of hash and pseudonym maskers: made at the first start, then the same for ever."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) != MASK_KEY_BYTES:  # a crash while it was made: hashes under an empty key can be guessed
            raise KeyFileError(f"{path} is not {MASK_KEY_BYTES} bytes long; remove it and a new one is made") from None
        return key
    with os.fdopen(descriptor, "wb") as file:
        key = os.urandom(MASK_KEY_BYTES)
        file.write(key)
    return key
