#!/usr/bin/env bash
# Apache 2.4.71 (Debian apache2-bin 2.4.71-1~deb12u1) with prometheus-apache-exporter 0.12.0
# (Debian 0.12.0-1+b4): a restart sets some of its counters to zero and not others.
#
# Guess, before it was run: SIGHUP (`apachectl restart`) sets all counters of the status page to
# zero, as a new process would, and SIGUSR1 (graceful) none.
# Behaviour: SIGUSR1 none, as guessed. SIGHUP sets accesses, bytes, duration and uptime to zero, but
# CPU times go on, so that the page is half of a new process and half of the old one; and CPULoad,
# CPU time by uptime, jumps up on a server that is idle, even over 100%. The exporter's
# process_start_time_seconds moves at neither.
# Output seen (numbers differ by machine):
#   before:         accesses 38721 cpu_ms 2590 cpuload 86.3333
#   after SIGUSR1:  accesses 38723 cpu_ms 2630 cpuload 43.8333
#   after SIGHUP:   accesses 1 cpu_ms 2660 cpuload 133
#   start times of the exporter seen: 1
#
# Run by hand. Exits with 0 while it is so, with 1 when Apache does otherwise.
set -euo pipefail
folder=$(mktemp -d)
children=()
trap 'kill "${children[@]}" 2>/dev/null; wait; rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"

apt-get download -qq apache2-bin=2.4.71-1~deb12u1 prometheus-apache-exporter=0.12.0-1+b4 \
    wrk=4.1.0-3+b2 libluajit-5.1-2=2.1.0~beta3+git20220320+dfsg-4.1+deb12u1 \
    libapr1=1.7.2-3+deb12u1 libaprutil1=1.6.3-1+deb12u1 2>/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(printf '%s:' "$folder"/root/usr/lib/*-linux-*)

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port) exporter=$(free_port)
user=$(id -un) group=$(id -gn)
[[ $(id -u) -ne 0 ]] || user=nobody group=nogroup
modules=$folder/root/usr/lib/apache2/modules
cat >httpd.conf <<END
ServerRoot $folder
ServerName localhost
Listen 127.0.0.1:$port
User $user
Group $group
PidFile $folder/httpd.pid
ErrorLog $folder/error.log
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule alias_module $modules/mod_alias.so
LoadModule status_module $modules/mod_status.so
ExtendedStatus On
<Location /server-status>
SetHandler server-status
</Location>
RedirectMatch 204 "^/(?!server-status)"
END
LD_LIBRARY_PATH=$libraries root/usr/sbin/apache2 -f "$folder/httpd.conf" -DFOREGROUND >out.log 2>&1 &
apache=$!
root/usr/bin/prometheus-apache-exporter "--telemetry.address=127.0.0.1:$exporter" \
    "--scrape_uri=http://127.0.0.1:$port/server-status?auto" >exporter.log 2>&1 &
children=("$apache" $!)

page() { python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$exporter/metrics').read().decode())"; }
# value NAME: the sum of its series on the page.
value() { awk -v name="$1" '$1 == name || index($1, name "{") == 1 { sum += $2 } END { print sum + 0 }' <<<"$text"; }
# look NAME: reads the page; sets accesses, cpu and load.
look() {
    text=$(page)
    accesses=$(value apache_accesses_total) cpu=$(value apache_cpu_time_ms_total) load=$(value apache_cpuload)
    value process_start_time_seconds >>starts
    printf '%-15s accesses %s cpu_ms %s cpuload %s\n' "$1" "$accesses" "$cpu" "$load"
}
# until COMMAND...: wait for it, 20 s at most.
until_() {
    for _ in {1..100}; do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    printf 'never came: %s\n' "$*" >&2
    exit 1
}
resumed() { [[ $(grep -c 'resuming normal operations' error.log) -ge $1 ]]; }
is_up() { text=$(page) && [[ $(value apache_up) == 1 ]]; }

until_ is_up
LD_LIBRARY_PATH=$libraries root/usr/bin/wrk -t2 -c8 -d2s "http://127.0.0.1:$port/" >wrk.log
look before:
accesses0=$accesses cpu0=$cpu
kill -USR1 "$apache"
until_ resumed 2
until_ is_up
look 'after SIGUSR1:'
accesses1=$accesses cpu1=$cpu load1=$load
kill -HUP "$apache"
until_ resumed 3
until_ is_up
look 'after SIGHUP:'
printf 'start times of the exporter seen: %s\n' "$(sort -u starts | wc -l)"

[[ $accesses0 -gt 1000 && $accesses1 -ge $accesses0 && $accesses -lt 100 ]]
[[ ${cpu0%.*} -gt 0 && ${cpu1%.*} -ge ${cpu0%.*} && ${cpu%.*} -ge ${cpu1%.*} && ${load%.*} -gt ${load1%.*} ]]
[[ $(sort -u starts | wc -l) -eq 1 ]]
