#!/bin/bash
# Dumps the whole cluster, and loads the dump. pg_dump alone has neither roles nor their grants, nor the database's settings.
set -euo pipefail

dump=/var/lib/postgresql/data/backup.sql

case "${1-}" in
  backup)
    pg_dumpall --username="$POSTGRES_USER" --clean --if-exists --file="$dump"
    ;;
  restore)
    # The role that loads the dump cannot be dropped, and the app stays connected.
    sed -Ei "/^(DROP ROLE IF EXISTS|CREATE ROLE) $POSTGRES_USER;\$/d" "$dump"
    psql --username="$POSTGRES_USER" --quiet --set=ON_ERROR_STOP=1 \
      --command="DROP DATABASE IF EXISTS $POSTGRES_DB WITH (FORCE)" postgres
    psql --username="$POSTGRES_USER" --quiet --set=ON_ERROR_STOP=1 --output=/dev/null --file="$dump" postgres
    ;;
  *)
    echo "usage: pg_backup.sh backup|restore" >&2
    exit 2
    ;;
esac
