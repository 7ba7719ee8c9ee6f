#!/usr/bin/env bash
# RabbitMQ 3.10.8 (Debian 3.10.8-1.1+deb12u1): what a STOMP client publishes is counted under
# protocol="amqp091", and there is no series for STOMP.
#
# What one would expect: rabbitmq_global_messages_received_total has a label `protocol`, so what a
# STOMP client publishes is under protocol="stomp".
# Behaviour: it is under protocol="amqp091", though no AMQP listener is open at all. The plugin
# speaks AMQP 0-9-1 to the broker, and the label names that inner connection's protocol. A selector
# with protocol="stomp" counts nothing, and an SLO by protocol mixes both kinds of clients.
# Output seen:
#   rabbitmq_global_messages_received_total{protocol="amqp091"} 25
#   series with another protocol: none
#
# Run by hand. Exits with 0 while it is so, with 1 when RabbitMQ does otherwise.
set -euo pipefail
folder=$(mktemp -d)
children=()
trap 'kill "${children[@]}" 2>/dev/null; wait; rm -rf "$folder"' EXIT
cd "$folder"

erlang=1:25.2.3+dfsg-1+deb12u4
packages=(rabbitmq-server=3.10.8-1.1+deb12u1)
for part in asn1 base crypto eldap ftp inets mnesia os-mon parsetools public-key runtime-tools ssl \
    syntax-tools tftp tools xmerl; do
    packages+=("erlang-$part=$erlang")
done
apt-get download -qq "${packages[@]}" 2>/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
# Erlang's start script has its folder written into it.
sed -i "s#=/usr/lib/erlang#=$folder/root/usr/lib/erlang#" root/usr/lib/erlang/bin/erl

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
stomp=$(free_port) metrics=$(free_port) names=$(free_port) peers=$(free_port)
cat >rabbitmq.conf <<END
listeners.tcp = none
stomp.listeners.tcp.1 = 127.0.0.1:$stomp
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $metrics
log.console = true
log.file = false
END
echo '[rabbitmq_prometheus,rabbitmq_stomp].' >enabled_plugins
export PATH=$folder/root/usr/bin:$PATH HOME=$folder ERL_EPMD_PORT=$names ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf
export RABBITMQ_ENABLED_PLUGINS_FILE=$folder/enabled_plugins RABBITMQ_MNESIA_BASE=$folder/mnesia
export RABBITMQ_LOG_BASE=$folder/log RABBITMQ_NODENAME=finding@localhost RABBITMQ_DIST_PORT=$peers
export RABBITMQ_ALLOW_INPUT=1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-noinput -kernel inet_dist_use_interface {127,0,0,1}'
epmd -port "$names" -address 127.0.0.1 >epmd.log 2>&1 &
children+=($!)
root/usr/lib/rabbitmq/bin/rabbitmq-server >rabbitmq.log 2>&1 &
children+=($!)

cat >drive.py <<'END'
import re, socket, sys, time, urllib.request

stomp, metrics = sys.argv[1:]

def page():
    return urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5).read().decode()

def until(what):
    for _ in range(300):
        try:
            if what():
                return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit("never came")

until(page)
client = socket.create_connection(("127.0.0.1", int(stomp)))
answers = client.makefile("rb")

def answer():
    frame = b""
    while not frame.endswith(b"\0"):
        frame += answers.read(1)
    return frame.split(b"\n\n")[0].strip().split(b"\n")[0]

client.sendall(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\nheart-beat:0,0\n\n\0")
assert answer() == b"CONNECTED"
for number in range(25):
    client.sendall(f"SEND\ndestination:/queue/q\nreceipt:{number}\n\nx\0".encode())
    assert answer() == b"RECEIPT"

def received():
    found = re.findall(r'^rabbitmq_global_messages_received_total\{protocol="(\w+)"\} (\d+)$', page(), re.MULTILINE)
    return {protocol: int(value) for protocol, value in found}

until(lambda: 25 in received().values())
seen = received()
print(f'rabbitmq_global_messages_received_total{{protocol="amqp091"}} {seen.pop("amqp091", "absent")}')
print("series with another protocol:", seen or "none")
sys.exit(0 if received() == {"amqp091": 25} else 1)
END
python3 drive.py "$stomp" "$metrics"
