"""The dialects that the gateway serves: for each the port that greets its clients, and the target behind it."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from rules.model import Dialect
from wireproxy.mysql.serving import MySqlPort
from wireproxy.mysql.target import MySqlTarget
from wireproxy.port import Port
from wireproxy.serving import PostgresPort
from wireproxy.target import Target


@frozen
class Served:
    port: type[Port[Any]]
    target: type[Target]


DIALECTS: Final = {
    Dialect.POSTGRES: Served(PostgresPort, Target),
    Dialect.MYSQL: Served(MySqlPort, MySqlTarget),
}
