#!/bin/bash
# Talks to Redis from a container that has bash: Redis' own image has none, and hooks need it.
#
# redis.sh save    writes dump.rdb
# redis.sh keep    without save points, a stop does not write memory over a restored dump.rdb
set -euo pipefail

say() {
  for attempt in {1..60}; do
    exec 3<> "/dev/tcp/$REDIS_ADDRESS/6379"
    printf '%s\r\n' "$1" >&3
    IFS= read -r answer <&3
    case "$answer" in
      $'+OK\r') return ;;
      # Redis saves by itself from time to time, and refuses a second save meanwhile.
      *"Background save"*) sleep 1 ;;
      *) break ;;
    esac
  done
  echo "redis says to $1, attempt $attempt: $answer" >&2
  exit 1
}

case "${1-}" in
  save) say SAVE ;;
  keep) say 'CONFIG SET save ""' ;;
  *) echo "usage: redis.sh save|keep" >&2; exit 2 ;;
esac
