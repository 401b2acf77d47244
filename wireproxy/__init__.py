"""The running gateway: trio, sockets, the store, the session log and the command line."""

__version__ = "0.1.0"
