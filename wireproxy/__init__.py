"""The running gateway: trio, sockets, the store, the session log and the command line."""

import logging

# It warns of what it cannot parse, and quotes it: the literals of clients do not belong on anybody's standard error.
logging.getLogger("sqlglot").disabled = True

__version__ = "0.1.0"
