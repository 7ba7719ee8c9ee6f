#!/usr/bin/env bash
# Dovecot 2.3.19.1 (Debian 1:2.3.19.1+dfsg1-2.1+deb12u7): a counter that comes after a histogram on
# the page gets lines of the histogram's buckets, which no parser takes.
#
# What one would expect: a metric that is grouped by a field has a line for each value of that field
# and no other, whatever metrics the configuration has before it.
# Behaviour: as soon as events have been in two buckets of a histogram without other groups, the
# counter behind it has a line for each bucket but the first that was used, with a label that has
# neither name nor equals sign. Prometheus 2.42 then refuses the whole page: `up` is 0 for this
# Dovecot until it is reloaded, and all of its metrics are gone, not only that line. A page that was
# fine for weeks breaks with the first slow command. With the counter before the histogram in the
# configuration all is well.
# Output seen:
#   events in one bucket: up
#   events in two buckets: down, expected label name or left brace, got "INVALID"
#   dovecot_imap_reply_total{"duration_1000001_inf"} 1
#
# Run by hand. Exits with 0 while it is so, with 1 when Dovecot does otherwise.
set -euo pipefail
folder=$(mktemp -d)
children=()
trap 'kill "${children[@]}" 2>/dev/null; wait; rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"

apt-get download -qq dovecot-core=1:2.3.19.1+dfsg1-2.1+deb12u7 \
    dovecot-imapd=1:2.3.19.1+dfsg1-2.1+deb12u7 prometheus=2.42.0+ds-5+deb12u1 \
    libunwind8=1.6.2-3 2>/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(printf '%s:' "$folder"/root/usr/lib/dovecot "$folder"/root/usr/lib/*-linux-*)
export LD_LIBRARY_PATH=$libraries
bin=$folder/root/usr/lib/dovecot

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port) prometheus=$(free_port)
user=$(id -un) group=$(id -gn)
[[ $(id -u) -ne 0 ]] || user=nobody group=nogroup
cat >dovecot.conf <<END
base_dir = $folder/run
state_dir = $folder/state
log_path = $folder/dovecot.log
libexec_dir = $bin
protocols = imap
ssl = no
import_environment = LD_LIBRARY_PATH
default_internal_user = $user
default_internal_group = $group
default_login_user = $user
first_valid_uid = 0
first_valid_gid = 0
mail_uid = $user
mail_gid = $group
mail_location = maildir:$folder/mail
service config {
  executable = config -c $folder/dovecot.conf
}
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 0
  }
}
service stats {
  inet_listener http {
    address = 127.0.0.1
    port = $port
  }
}
metric imap_command {
  filter = event=imap_command_finished AND cmd_name=IDLE
  group_by = duration:exponential:1:6:10
}
metric imap_reply {
  filter = event=imap_command_finished
  group_by = tagged_reply_state
}
END
# The paths of its helpers are compiled in: doveconf starts it here as Dovecot itself would.
root/usr/bin/doveconf -c dovecot.conf -f service=master -m master -e "$folder/root/usr/sbin/dovecot" -F \
    >out.log 2>&1 &
children+=($!)

cat >prometheus.yml <<END
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: dovecot, static_configs: [{targets: ["127.0.0.1:$port"]}]}]
END
env -u LD_LIBRARY_PATH root/usr/bin/prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb \
    "--web.listen-address=127.0.0.1:$prometheus" >prometheus.log 2>&1 &
children+=($!)

cat >drive.py <<'END'
import json, os, subprocess, sys, time, urllib.request

folder, bin, port, prometheus = sys.argv[1:]
os.environ.update(CONFIG_FILE=f"{folder}/run/config", USER="joe", HOME="/")

def get(url):
    return urllib.request.urlopen(url, timeout=5).read().decode()

def page():
    return get(f"http://127.0.0.1:{port}/metrics")

def target():
    """What Prometheus says of Dovecot after its second scrape from now."""
    url, begun = f"http://127.0.0.1:{prometheus}/api/v1/targets", time.time() + 1
    while True:
        found = json.loads(get(url))["data"]["activeTargets"]
        scraped = found[0]["lastScrape"][:19] if found else ""
        if scraped > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begun)):
            return found[0]["health"], found[0]["lastError"]
        assert time.time() < begun + 30, found
        time.sleep(0.2)

def idle(seconds):
    """One IMAP command that lasts so long."""
    session = subprocess.Popen([f"{bin}/imap"], stdin=-1, stdout=-1, stderr=subprocess.DEVNULL)
    assert b"PREAUTH" in session.stdout.readline()
    session.stdin.write(b"a IDLE\r\n"); session.stdin.flush()
    assert session.stdout.readline().startswith(b"+")
    time.sleep(seconds)
    session.stdin.write(b"DONE\r\nb LOGOUT\r\n"); session.stdin.flush()
    session.stdout.read(); session.wait(10)

def until(what):
    for _ in range(200):
        try:
            if what():
                return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"never came: {what}")

until(page)
until(lambda: get(f"http://127.0.0.1:{prometheus}/-/ready"))
idle(0.2)
until(lambda: 'reply_total{tagged_reply_state="OK"} 2' in page())
before = target()
print("events in one bucket:", *before)
idle(1.2)
until(lambda: 'reply_total{tagged_reply_state="OK"} 4' in page())
after = target()
print("events in two buckets:", ", ".join(after))
strange = [line for line in page().splitlines() if '{"' in line]
print(*strange, sep="\n")
expected = ['dovecot_imap_reply_total{"duration_1000001_inf"} 1']
sys.exit(0 if (before[0], after[0], strange) == ("up", "down", expected) else 1)
END
python3 drive.py "$folder" "$bin" "$port" "$prometheus"
