#!/usr/bin/env bash
# A throw-away PostgreSQL for tests, from Debian's package postgresql-15: on loopback, in a temporary folder, as an unprivileged user.
#
#   eval "$(scripts/postgres_for_tests.sh start)"    sets WEIGHBRIDGE_TEST_POSTGRES (its URL) and WEIGHBRIDGE_TEST_POSTGRES_FOLDER
#   scripts/postgres_for_tests.sh stop [FOLDER]      stops it and removes the folder
#
# Installs nothing. As root it runs the server as the package's user `postgres`, since PostgreSQL refuses to be root. Whoever is on
# this machine may connect: nothing in it is worth a password.
set -euo pipefail

as_owner() {
  if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

programs=""
for each in /usr/lib/postgresql/15/bin /usr/lib/postgresql/*/bin; do
  if [ -x "$each/initdb" ]; then programs=$each; break; fi
done
if [ -z "$programs" ]; then
  echo "there is no PostgreSQL here: apt-get install postgresql-15" >&2
  exit 1
fi

start() {
  folder=$(mktemp -d "${TMPDIR:-/tmp}/weighbridge-postgres-XXXXXX")
  if [ "$(id -u)" -eq 0 ]; then chown postgres "$folder"; fi
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  cd "$folder"
  # A locale whose order is not that of code points, as real servers have: what depends on it shows.
  locale=$(locale -a | grep -im1 '^en_US.utf-\?8$' || echo C.UTF-8)
  if ! as_owner "$programs/initdb" -D "$folder/data" -U weighbridge -A trust -E UTF8 --locale="$locale" -N >"$folder/initdb.log" 2>&1 ||
     ! as_owner "$programs/pg_ctl" -D "$folder/data" -w -t 60 -l "$folder/data/server.log" \
       -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=50" start >&2; then
    cat "$folder/initdb.log" "$folder/data/server.log" >&2 2>/dev/null || true
    rm -rf "$folder"
    exit 1
  fi
  echo "export WEIGHBRIDGE_TEST_POSTGRES=postgresql://weighbridge@127.0.0.1:$port/postgres"
  echo "export WEIGHBRIDGE_TEST_POSTGRES_FOLDER=$folder"
}

stop() {
  folder=${1:-${WEIGHBRIDGE_TEST_POSTGRES_FOLDER:?which folder?}}
  [ -f "$folder/data/PG_VERSION" ] || { echo "$folder: no PostgreSQL of ours" >&2; exit 1; }
  cd "$folder"
  as_owner "$programs/pg_ctl" -D "$folder/data" -m immediate stop >&2 || true
  cd /
  rm -rf "$folder"
}

case "${1:-}" in
  start) start ;;
  stop) stop "${2:-}" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
