#!/bin/sh
# The role that the gateway uses: it reads and writes rows, it owns nothing. Run by PostgreSQL's image at the first start.
set -eu
psql -q -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set password `cat "$GATEWAY_PASSWORD_FILE"`
CREATE ROLE shop_gateway LOGIN PASSWORD :'password';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO shop_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shop_gateway;
SQL
