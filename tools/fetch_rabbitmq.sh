#!/bin/sh
# Unpack the distribution's RabbitMQ and Erlang (Debian, Ubuntu) under var/rabbitmq, or under the folder given.
# Nothing is installed and no root is needed: apt's lists and archives live in a scratch folder of our own.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=${1:-$here/var/rabbitmq}

if [ -e "$target/.complete" ]; then
    echo "RabbitMQ is already in $target"
    exit 0
fi
for program in apt-get apt-cache dpkg-deb; do
    if ! command -v "$program" >/dev/null; then
        echo "RabbitMQ: $program is missing; install RabbitMQ yourself and set CUADRILLA_TEST_AMQP_URL" >&2
        exit 1
    fi
done

mkdir -p "$(dirname -- "$target")"
# The scratch folder lies beside the target, so that the last step is a rename: whole or not there.
scratch=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$scratch"' EXIT INT TERM
mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/debs" "$scratch/root"

apt() {
    program=$1
    shift
    "$program" -o "Dir::State::Lists=$scratch/lists" -o "Dir::Cache=$scratch/cache" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User= "$@"
}

apt apt-get -qq update
# The server, Erlang's own parts and the two libraries a slim image may lack; the rest of the tree is init systems and mail.
apt apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
    rabbitmq-server | grep -E '^(erlang-[a-z0-9-]+|rabbitmq-server|libsctp1|libtinfo6)$' | sort -u >"$scratch/wanted"
(cd "$scratch/debs" && xargs -r apt-get -o "Dir::State::Lists=$scratch/lists" -o "Dir::Cache=$scratch/cache" \
    -o Debug::NoLocking=1 -o APT::Sandbox::User= -qq download <"$scratch/wanted")
for package in "$scratch"/debs/*.deb; do
    dpkg-deb -x "$package" "$scratch/root"
done

touch "$scratch/root/.complete"
chmod 755 "$scratch/root"
rm -rf "$target"
mv "$scratch/root" "$target"
echo "RabbitMQ is in $target"
