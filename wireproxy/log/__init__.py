"""The session log: what happened, written before it happens, chained and signed. The format: docs/session-log.md."""

from wireproxy.log.errors import LOG_HINT, FormatError, LogError, UnknownSession
from wireproxy.log.ledger import Ledger
from wireproxy.log.records import SessionStart
from wireproxy.log.sealing import Auditor, AuditorKey
from wireproxy.log.signing import KeyFileError, Signer, Verifier
from wireproxy.log.writer import SessionLog, close_ledgers, new_session_id

__all__ = [
    "LOG_HINT",
    "Auditor",
    "AuditorKey",
    "FormatError",
    "KeyFileError",
    "Ledger",
    "LogError",
    "SessionLog",
    "SessionStart",
    "Signer",
    "UnknownSession",
    "Verifier",
    "close_ledgers",
    "new_session_id",
]
