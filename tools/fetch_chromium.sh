#!/bin/sh
# The browser that the page tests drive: Debian's, installed if we may.
set -eu

for program in chromium chromium-browser google-chrome; do
    if command -v "$program" >/dev/null; then
        exit 0
    fi
done
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y chromium >/dev/null
else
    echo "Chromium is missing: apt install chromium" >&2
    exit 1
fi
