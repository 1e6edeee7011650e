#!/bin/bash
export RADICALE_CONF_VERSION=v3
export ENTRYPOINT_VERSION=v1
export BACKUP_VERSION=v2

users() {
  cut -d: -f1 /data/users
}
