"""MySQL and MariaDB in the running gateway: the client's welcome, the target's connection, the session, the catalog."""
