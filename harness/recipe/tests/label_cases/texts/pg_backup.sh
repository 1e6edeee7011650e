#!/bin/bash
set -e
F=/var/lib/postgresql/data/backup.sql
function backup { pg_dump -U app -c app > $F; }
function restore { psql -U app -d app -f $F; }
$@
