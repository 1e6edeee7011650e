#!/bin/bash
# Talks to Redis from a container that has bash: Redis' own image has none, and hooks need it.
#
# redis.sh save    writes dump.rdb
# redis.sh keep    without save points, a stop does not write memory over a restored dump.rdb
set -euo pipefail

say() {
  exec 3<> "/dev/tcp/$REDIS_ADDRESS/6379"
  printf '%s\r\n' "$1" >&3
  IFS= read -r answer <&3
  if [ "$answer" != $'+OK\r' ]; then
    echo "redis says to $1: $answer" >&2
    exit 1
  fi
}

case "${1-}" in
  save) say SAVE ;;
  keep) say 'CONFIG SET save ""' ;;
  *) echo "usage: redis.sh save|keep" >&2; exit 2 ;;
esac
