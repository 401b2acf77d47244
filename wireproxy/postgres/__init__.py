"""PostgreSQL in the running gateway."""
