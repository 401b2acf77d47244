#!/bin/sh
# Makes the passwords once, each readable for the one account that needs it: 999 is postgres in its image and mysql in MariaDB's,
# 65532 the gateway.
set -eu
umask 077
root=${SECRETS_ROOT:-/secrets}
database_owner=${DATABASE_OWNER:-999}
mariadb_owner=${MARIADB_OWNER:-999}
gateway_owner=${GATEWAY_OWNER:-65532}

make() { head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }

[ -s "$root/database/superuser" ] || make > "$root/database/superuser"
[ -s "$root/database/gateway" ] || make > "$root/database/gateway"
[ -s "$root/mariadb/root" ] || make > "$root/mariadb/root"
[ -s "$root/mariadb/gateway" ] || make > "$root/mariadb/gateway"
cat "$root/database/gateway" > "$root/gateway/shop"
cat "$root/mariadb/gateway" > "$root/gateway/shop_mysql"
chown -R "$database_owner" "$root/database"
chown -R "$mariadb_owner" "$root/mariadb"
chown -R "$gateway_owner" "$root/gateway"
