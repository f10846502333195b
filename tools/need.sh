#!/bin/sh
# `need.sh PROGRAM:PACKAGE ...`: install the distribution's package of each program that is missing, or say what to install.
set -eu

missing=""
for each in "$@"; do
    command -v "${each%%:*}" >/dev/null || missing="$missing ${each#*:}"
done
[ -n "$missing" ] || exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get -qq update
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y $missing >/dev/null
else
    echo "missing; install it first: apt install$missing" >&2
    exit 1
fi
