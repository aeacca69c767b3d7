#!/usr/bin/env bash
# Installs the servers and the browser that some tests run against, where this user may.
set -euo pipefail

missing=()
command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
  missing+=(postgresql)
command -v chromium >/dev/null || missing+=(chromium)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing ${missing[*]} by apt-get, for the tests that need them ..."
  export DEBIAN_FRONTEND=noninteractive
  # A cluster that starts with the machine is not wanted: the tests make their own.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  if { apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; } \
    >/dev/null 2>&1; then
    exit 0
  fi
fi
echo "Not installed: ${missing[*]}. The tests that need them are skipped; as root on Debian:" \
  "apt-get install ${missing[*]}" >&2
