"""The guided tour: a throw-away PostgreSQL with a sample shop, the gateway in front of it, a driver and a DBA."""
