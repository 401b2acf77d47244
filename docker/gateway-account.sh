#!/bin/sh
# The account that the gateway uses: it reads and writes rows, it owns nothing. Run by MariaDB's image at the first start.
set -eu
password=$(cat "$GATEWAY_PASSWORD_FILE") # of letters, digits, - and _: see make-secrets.sh
MYSQL_PWD=$MARIADB_ROOT_PASSWORD mariadb -u root <<SQL
CREATE USER shop_gateway IDENTIFIED BY '$password';
GRANT SELECT, INSERT, UPDATE, DELETE ON $MARIADB_DATABASE.* TO shop_gateway;
SQL
