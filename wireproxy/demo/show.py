"""What of the tour differs by dialect: the server and its shop, the statements, how a driver tells of a refusal and of a hold."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen
from types import MappingProxyType
from typing import Any

from attrs import define, field, frozen

HOLD_S = 15.0  # how long the tour waits for things that take milliseconds
GATEWAY_ROLE = "shop_gateway"


class TourError(Exception):
    """What the tour was about to show is not so."""


class StageError(Exception):
    """The stage could not be set up. The message says what is missing, or ends with what the process said."""


@frozen
class Result:
    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]  # whatever types the columns have


@frozen
class Refused:
    """An error as the driver gives it. `code` names it to programs."""

    code: str
    message: str
    detail: str | None = None
    hint: str | None = None


@frozen
class Server:
    """A database server that runs for the tour."""

    port: int
    password: str  # of its superuser
    process: Popen[bytes]
    ended_by: int  # the signal that it understands


@define
class Held(ABC):
    """The agent's DELETE, waiting in a thread of its own as it would in a program."""

    connection: Any
    text: str
    noticed: threading.Event = field(factory=threading.Event)
    notices: list[str] = field(factory=list)
    deleted: int | None = None
    failure: Exception | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> int:
        assert self._thread is not None
        self._thread.join(HOLD_S)
        if self.failure is not None:
            raise TourError(f"the approved DELETE failed: {self.failure}") from self.failure
        if self.deleted is None:
            raise TourError(f"the approved DELETE did not end within {HOLD_S:.0f} s")
        return self.deleted

    def _run(self) -> None:
        try:
            self.deleted = self.execute()
        except Exception as error:  # noqa: BLE001  told by `finish`, in the thread of the tour
            self.failure = error
        finally:
            self.noticed.set()

    @abstractmethod
    def execute(self) -> int:
        """The rows that went."""


class Show(ABC):
    """One dialect."""

    name: str  # of the dialect, as the configuration has it
    title: str  # of the server
    syntax: str  # for the colours of its statements
    tells_of_holds: bool  # a notice reaches the client while its statement is held
    code: str  # by which a driver knows a refusal
    schema: str
    quarter: str  # of the column placed_at, as an expression
    version: str
    masks: Mapping[str, str] = MappingProxyType(  # column of customers -> masker
        {"email": "email", "ssn": "last4", "card_number": "last4", "salary": "null"}
    )
    read = """\
SELECT id, name, email, ssn, card_number, salary, country
FROM customers ORDER BY id LIMIT 4"""
    counts = """\
SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM products) AS products,
       (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM order_items) AS order_items"""
    drop = "DROP TABLE order_items"
    delete = "DELETE FROM orders WHERE status = 'cancelled' AND placed_at < '2024-07-01'"
    count_deleted = "SELECT count(*) FROM orders WHERE status = 'cancelled' AND placed_at < '2024-07-01'"

    @property
    def report(self) -> str:
        """Sales by quarter: what an analyst would ask."""
        return f"""\
WITH sales AS (
    SELECT {self.quarter} AS quarter, p.category,
           count(DISTINCT o.id) AS orders, sum(i.quantity * i.price) AS revenue
    FROM orders AS o
         JOIN order_items AS i ON i.order_id = o.id
         JOIN products AS p ON p.id = i.product_id
    WHERE o.status IN ('paid', 'shipped') AND o.placed_at >= '2025-01-01'
    GROUP BY 1, 2
)
SELECT quarter, category, orders, revenue,
       rank() OVER (PARTITION BY quarter ORDER BY revenue DESC) AS place,
       round(100 * revenue / sum(revenue) OVER (PARTITION BY quarter), 1) AS percent
FROM sales ORDER BY quarter, place"""  # noqa: S608  the expression is a constant of this program

    # -- the stage

    @abstractmethod
    def start(self, folder: Path) -> Server:
        """Raises StageError, ClusterError."""

    @abstractmethod
    def load(self, server: Server, role_password: str) -> None:
        """The shop, owned by the role that the gateway uses: if that DROP got through, it would succeed."""

    @abstractmethod
    def verifier(self, password: str) -> str:
        """The line of [user.agent]."""

    @abstractmethod
    def agent_url(self, port: int, password: str) -> str:
        """What the agent gets: an ordinary connection string."""

    @abstractmethod
    def client(self, url: str) -> str:
        """The command with which a person connects."""

    # -- drivers

    @abstractmethod
    def agent(self, port: int, password: str) -> AbstractContextManager[Any]:
        """A connection through the gateway."""

    @abstractmethod
    def directly(self, server: Server) -> AbstractContextManager[Any]:
        """One to the database itself, as its superuser: only to show what the gateway changed."""

    @abstractmethod
    def fetch(self, connection: Any, text: str) -> Result: ...

    @abstractmethod
    def fetch_binary(self, connection: Any, text: str) -> tuple[str, Result] | None:
        """The same in the binary format of the protocol, and its name; None where the driver has none."""

    @abstractmethod
    def refusal(self, connection: Any, text: str) -> Refused | None:
        """None: it was not refused."""

    @abstractmethod
    def hold(self, connection: Any, text: str) -> Held: ...
