#!/bin/sh
# Prometheus and Alertmanager from PATH, or from Debian/Ubuntu packages without starting their services.
# In CI the tests over PostgreSQL, VictoriaMetrics, Erlang nodes and the systemd unit run too, so those are installed as well.
set -eu
missing=
command -v prometheus >/dev/null && command -v promtool >/dev/null || missing="prometheus"
{ command -v prometheus-alertmanager >/dev/null || command -v alertmanager >/dev/null; } && command -v amtool >/dev/null \
    || missing="$missing prometheus-alertmanager"
if [ -n "${CI:-}" ]; then
    set -- /usr/lib/postgresql/*/bin/initdb
    command -v initdb >/dev/null || [ -x "$1" ] || missing="$missing postgresql"
    command -v victoria-metrics >/dev/null && command -v vmalert >/dev/null || missing="$missing victoria-metrics"
    # erl_call comes with erlang-base; the tests' nodes use ssl for distribution over TLS, and RabbitMQ brings what it needs.
    command -v erl >/dev/null && command -v erl_call >/dev/null || missing="$missing erlang-base"
    set -- /usr/lib/erlang/lib/ssl-*/ebin/ssl.beam
    [ -e "$1" ] || missing="$missing erlang-ssl"
    command -v rabbitmq-server >/dev/null || missing="$missing rabbitmq-server"
    command -v systemd-analyze >/dev/null || missing="$missing systemd"  # reads the unit
fi
missing=$(echo $missing)
[ -z "$missing" ] && exit 0

by_hand="lens-exporter: $missing not found: put prometheus, promtool, alertmanager and amtool on PATH, or run: apt-get install $missing"
command -v apt-get >/dev/null || { echo "$by_hand" >&2; exit 1; }
if [ "$(id -u)" -eq 0 ]; then as_root=; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; else echo "$by_hand" >&2; exit 1; fi

# policy-rc.d answering 101 is Debian's own way to install a server without starting it; ours is removed again.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod +x "$policy"
    trap '$as_root rm -f "$policy"' EXIT
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
