#!/usr/bin/env bash
# Dovecot 2.3.19.1 (Debian 1:2.3.19.1+dfsg1-2.1+deb12u7): what a session does after a reload is in
# no metric, when the session was open before.
#
# Guess, before it was run: a reload sets all metrics to zero, and a session that stays open reports
# what it does from then on to the new stats process.
# Behaviour: the session goes on and every command is answered, but the page never counts it again:
# the session reports to the old stats process, which nobody can ask and which the master ends 5 s
# later. Mail clients keep sessions open for days, and renewing a certificate is a reload.
# Output seen:
#   session A before the reload: 5 commands, page: 5
#   session A after the reload: 10 commands, page: 0
#   session B after the reload: 4 commands, page: 4
#
# Run by hand. Exits with 0 while it is so, with 1 when Dovecot does otherwise.
set -euo pipefail
folder=$(mktemp -d)
child=
trap '[[ -z $child ]] || { kill "$child" && wait "$child"; } 2>/dev/null; rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"

apt-get download -qq dovecot-core=1:2.3.19.1+dfsg1-2.1+deb12u7 \
    dovecot-imapd=1:2.3.19.1+dfsg1-2.1+deb12u7 libunwind8=1.6.2-3 2>/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(printf '%s:' "$folder"/root/usr/lib/dovecot "$folder"/root/usr/lib/*-linux-*)
export LD_LIBRARY_PATH=$libraries
bin=$folder/root/usr/lib/dovecot

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
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
metric imap_noop {
  filter = event=imap_command_finished AND cmd_name=NOOP
}
END
# The paths of its helpers are compiled in: doveconf starts it here as Dovecot itself would.
root/usr/bin/doveconf -c dovecot.conf -f service=master -m master -e "$folder/root/usr/sbin/dovecot" -F \
    >out.log 2>&1 &
child=$!

cat >drive.py <<'END'
import os, re, signal, subprocess, sys, time, urllib.request

folder, bin, port, master = sys.argv[1:]
os.environ.update(CONFIG_FILE=f"{folder}/run/config", USER="joe", HOME="/")
url = f"http://127.0.0.1:{port}/metrics"

def series(name):
    page = urllib.request.urlopen(url, timeout=5).read().decode()
    found = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0

def counted():
    return int(series("dovecot_imap_noop_total"))

def until(what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if what():
                return True
        except OSError:
            pass
        time.sleep(0.1)
    return False

class Session:
    def __init__(self):
        self.child = subprocess.Popen([f"{bin}/imap"], stdin=-1, stdout=-1, stderr=subprocess.DEVNULL)
        assert b"PREAUTH" in self.child.stdout.readline()

    def noops(self, times):
        for _ in range(times):
            self.child.stdin.write(b"a NOOP\r\n"); self.child.stdin.flush()
            assert self.child.stdout.readline().startswith(b"a OK")

    def end(self):
        self.child.stdin.write(b"b LOGOUT\r\n"); self.child.stdin.flush()
        self.child.stdout.read(); self.child.wait(10)

assert until(lambda: series("process_start_time_seconds")), open(f"{folder}/dovecot.log").read()
a = Session()
a.noops(5)
until(lambda: counted() == 5)
before = counted()
print(f"session A before the reload: 5 commands, page: {before}")
started = series("process_start_time_seconds")
# Start times are whole seconds: a reload within the first would not show.
assert until(lambda: time.time() > started + 2)
os.kill(int(master), signal.SIGHUP)
assert until(lambda: series("process_start_time_seconds") > started)
a.noops(5)
# The master ends what did not end by itself, the old stats process too; A goes on all the same.
assert until(lambda: "aren't dying after reload" in open(f"{folder}/dovecot.log").read(), 30)
a.noops(5)
until(lambda: counted() > 0, 5)
open_one = counted()
print(f"session A after the reload: 10 commands, page: {open_one}")
b = Session()
b.noops(4)
until(lambda: counted() == open_one + 4)
new_one = counted() - open_one
print(f"session B after the reload: 4 commands, page: {new_one}")
a.end()
b.end()
sys.exit(0 if (before, open_one, new_one) == (5, 0, 4) else 1)
END
python3 drive.py "$folder" "$bin" "$port" "$child"
