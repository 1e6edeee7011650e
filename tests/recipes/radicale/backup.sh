#!/bin/sh
# A storage that cannot be read is no backup.
set -eu
exec setpriv --reuid=radicale --regid=radicale --init-groups radicale --config /etc/radicale/config --verify-storage
