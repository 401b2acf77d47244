"""The gateway's side of its worker processes: as many as it may have, started when a text needs one.

Theory of operation. A text waits in line until it is its turn (`line`), and takes a free worker or starts one. The worker is
first told the catalog and the judge if it does not know them, and then has `judging_s` to answer. One that is late, dies, says
something that is no judgement, or is left in the middle (its session was ended) is killed and forgotten; one that has answered
often is replaced, since parsers leak. Nothing here raises but cancellation: what goes wrong is an opaque judgement.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import structlog
import trio
from attrs import define, field

from rules.catalog import Catalog
from rules.judge import Judge
from rules.model import Judgement, Namespace
from wireproxy.judgement.crossing import (
    ANSWER_BYTES,
    HEAD,
    NotAnAnswer,
    catalog_pieces,
    decode_judgement,
    forget_frame,
    judge_frame,
    question_frame,
)
from wireproxy.judgement.line import Line
from wireproxy.judgement.process import READY

START_S: Final = 20.0  # to import the parsers, on a machine that is busy
TELL_S: Final = 30.0  # a catalog of a hundred thousand columns
WAIT_S: Final = 10.0  # in line, before a text is given up: its identity sends many that take their whole time
USES: Final = 500
JUDGES_KEPT: Final = 8  # of each worker; the rest is told again
CATALOGS_KEPT: Final = 2
_NEEDED: Final = frozenset({"LD_LIBRARY_PATH", "PYTHONHOME"})  # by an interpreter that is not where it was built to be
_CHUNK: Final = 64 * 1024

LATE: Final = "judging it took too long"
DIED: Final = "judging it ended the process that did it"
BUSY: Final = "too many long statements are being judged"


class _Failed(Exception):
    """The worker cannot be used any more; the message is the reason for the statement."""


@define(eq=False)
class _Worker:
    process: trio.Process
    uses: int = 0
    _serial: int = 0
    _judges: OrderedDict[int, tuple[int, Judge]] = field(factory=OrderedDict)  # by id, held so that ids stay theirs
    _catalogs: OrderedDict[int, tuple[int, Catalog]] = field(factory=OrderedDict)

    async def ask(
        self, judge: Judge, text: bytes, namespace: Namespace, minute: int | None, rows: int | None, seconds: float
    ) -> Judgement:
        """Raises _Failed."""
        try:
            with trio.fail_after(TELL_S):
                serial = await self._tell(judge)
            with trio.fail_after(seconds):
                await self._send([question_frame(serial, text, namespace, minute, rows)])
                answer = await self.receive()
            return decode_judgement(answer, judge.masks)
        except trio.TooSlowError:
            raise _Failed(LATE) from None
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, NotAnAnswer):
            raise _Failed(DIED) from None

    async def _tell(self, judge: Judge) -> int:
        known = self._judges.get(id(judge))
        if known is not None:
            self._judges.move_to_end(id(judge))
            return known[0]
        catalog = None if judge.catalog is None else await self._tell_catalog(judge.catalog)
        self._serial += 1
        serial = self._serial
        await self._send([judge_frame(serial, catalog, judge)])
        self._judges[id(judge)] = serial, judge
        if len(self._judges) > JUDGES_KEPT:
            _, (old, _) = self._judges.popitem(last=False)
            await self._send([forget_frame("judge", old)])
        return serial

    async def _tell_catalog(self, catalog: Catalog) -> int:
        known = self._catalogs.get(id(catalog))
        if known is not None:
            self._catalogs.move_to_end(id(catalog))
            return known[0]
        self._serial += 1
        serial = self._serial
        await self._send(catalog_pieces(serial, catalog))
        self._catalogs[id(catalog)] = serial, catalog
        if len(self._catalogs) > CATALOGS_KEPT:
            _, (old, _) = self._catalogs.popitem(last=False)
            await self._send([forget_frame("catalog", old)])
        return serial

    async def _send(self, frames: Iterable[bytes]) -> None:
        assert self.process.stdin is not None
        for each in frames:
            await self.process.stdin.send_all(each)
            await trio.lowlevel.checkpoint()  # each piece of a catalog took a moment of everybody's

    async def receive(self) -> bytes:
        """The next frame. Raises what a broken pipe raises, and NotAnAnswer."""
        data = bytearray()
        wanted = HEAD.size
        assert self.process.stdout is not None
        while len(data) < wanted:
            chunk = await self.process.stdout.receive_some(_CHUNK)
            if not chunk:
                raise NotAnAnswer("it ended")
            data += chunk
            if wanted == HEAD.size and len(data) >= wanted:
                wanted += HEAD.unpack_from(data)[0]
                if wanted > ANSWER_BYTES:
                    raise NotAnAnswer("an answer that is too long")
        if len(data) > wanted:
            raise NotAnAnswer("more than an answer")
        return bytes(data[HEAD.size :])

    async def end(self) -> None:
        with trio.CancelScope(shield=True):
            self.process.kill()
            await self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    await pipe.aclose()


class Workers:
    def __init__(
        self,
        number: int,
        memory_bytes: int,
        seconds: float,
        *,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._memory_bytes = memory_bytes
        self._seconds = seconds
        self._free: list[_Worker] = []
        self._line = Line(number)
        self._failed = failed
        self._log = structlog.get_logger("judging")

    def reconfigure(self, number: int, memory_bytes: int, seconds: float) -> None:
        """From the next text on; those that run already keep their memory until they are replaced."""
        self._line.places = number
        self._memory_bytes = memory_bytes
        self._seconds = seconds

    async def judge(
        self, judge: Judge, text: bytes, namespace: Namespace, minute: int | None = None, rows: int | None = None
    ) -> Judgement:
        """As `judge.judge`, elsewhere. What came of it is known to the judge afterwards."""
        try:
            judgement = await self._ask(judge, text, namespace, minute, rows)
        except _Failed as failure:
            reason = str(failure)
            self._log.warning("not_judged", reason=reason, length=len(text))
            self._failed()
            judgement = judge.unread(reason, namespace, minute)
            if reason == BUSY:
                return judgement  # of the moment, not of the text
        if rows is None:
            judge.learn(text, namespace, judgement, minute)
        return judgement

    async def _ask(
        self, judge: Judge, text: bytes, namespace: Namespace, minute: int | None, rows: int | None
    ) -> Judgement:
        who = judge.identity.name
        try:
            await self._line.enter(who, WAIT_S, len(text))
        except trio.TooSlowError:
            raise _Failed(BUSY) from None
        worker: _Worker | None = None
        died = False
        asked: float | None = None
        try:
            worker = self._rested(spare=self._line.heavy(who)) or await self._start()
            asked = trio.current_time()
            judgement = await worker.ask(judge, text, namespace, minute, rows, self._seconds)
            worker.uses += 1
            if worker.uses < USES:
                self._free.append(worker)
                worker = None
            return judgement
        except _Failed:
            died = True
            if worker is not None:
                await worker.end()
                worker = None
                await self._replace()
            raise
        finally:
            if worker is not None:
                await worker.end()
            # the time in which a process started is nobody's
            self._line.leave(who, 0.0 if asked is None else trio.current_time() - asked, died=died)

    def _rested(self, *, spare: bool) -> _Worker | None:
        """A free worker. One that somebody ended meanwhile must not cost a text its judgement.

        `spare`: not the last of several, so that a text of somebody else need not wait for a process to start.
        """
        self._free = [worker for worker in self._free if worker.process.poll() is None]
        if not self._free or (spare and len(self._free) == 1 and self._line.places > 1):
            return None
        return self._free.pop()

    async def _replace(self) -> None:
        """Who ended a worker waits for the next one to start, and not whoever comes after."""
        try:
            self._free.append(await self._start())
        except _Failed:
            self._log.warning("no_worker")

    async def _start(self) -> _Worker:
        """Raises _Failed."""
        command = [
            sys.executable,
            "-P",
            "-m",
            "wireproxy.judgement.process",
            str(self._memory_bytes),
            str(self._seconds),
        ]
        # nothing else of the gateway's environment: a password of a target may be in it
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"}
        environment |= {name: value for name, value in os.environ.items() if name in _NEEDED}
        try:
            process = await trio.lowlevel.open_process(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # a library's last words can quote the text
                env=environment,
                start_new_session=True,  # a ^C in the gateway's terminal is the gateway's
            )
        except OSError:
            raise _Failed(DIED) from None
        worker = _Worker(process)
        try:
            with trio.fail_after(START_S):
                ready = await worker.receive()
            if ready != READY:
                raise NotAnAnswer("not ready")
        except (trio.TooSlowError, OSError, trio.BrokenResourceError, NotAnAnswer):
            await worker.end()
            raise _Failed(DIED) from None
        except BaseException:
            await worker.end()
            raise
        return worker

    async def aclose(self) -> None:
        """Ends those that are free; those in use end with their question."""
        while self._free:
            await self._free.pop().end()
