#!/bin/sh
# Does not start with a token of another form.
set -eu
grep -Eq '^X-Instance-Token = [0-9a-f]{40}$' /etc/radicale/config || { echo 'the instance token is not 40 hexadecimal digits' >&2; exit 1; }
exec /usr/local/bin/start
