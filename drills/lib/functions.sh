# Shell functions for the scripts of drills (POSIX sh). They are read before each script.

# fill FILE MIB [DAYS]   Write a file of that size that is no hole, and make it that many days old.
fill() {
  mkdir -p "$(dirname "$1")"
  "$PYTHON" -c 'import os,sys
with open(sys.argv[1], "wb") as f:
    [f.write(bytes(range(256)) * 256) for _ in range(int(float(sys.argv[2]) * 16))]' "$1" "$2"
  [ -z "${3:-}" ] || touch -d "$3 days ago" "$1"
}

# fill_to DIR PERCENT PREFIX DAYS [PIECES]   Fill a volume to that use with files PREFIX.1, PREFIX.2 ...
fill_to() {
  "$PYTHON" -c 'import os,sys,time
directory, percent, prefix, days, pieces = sys.argv[1], float(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
state = os.statvfs(directory)
left = int(state.f_blocks * state.f_frsize * percent / 100 - (state.f_blocks - state.f_bfree) * state.f_frsize)
then = time.time() - days * 86400
os.makedirs(os.path.dirname(prefix), exist_ok=True)
for at in range(1, pieces + 1):
    name = f"{prefix}.{at}" if "%" not in prefix else prefix.replace("%", str(at))
    draft = os.path.join(os.path.dirname(name), f".draft{at}")
    with open(draft, "wb") as f:
        f.write(os.urandom(65536) * max(1, left // pieces // 65536))
    os.utime(draft, (then, then))
    os.rename(draft, name)' "$1" "$2" "$3" "$4" "${5:-8}"
}

# used DIR   Print the use of a file system in whole percent, as df counts it.
used() { df --output=pcent "$1" | tail -1 | tr -dc '0-9'; }
inodes_used() { df --output=ipcent "$1" | tail -1 | tr -dc '0-9'; }

# digest FILE...   Print one digest of names and contents; a file that is gone changes it.
digest() { for f in "$@"; do sha256sum "$f" 2>&1 || echo "gone $f"; done | sha256sum | cut -c1-16; }

# status URL   Print the HTTP status; 000: no answer within 2 s.
status() { curl -s -o /dev/null -m 2 -w '%{http_code}' "$1" || true; }
answers() { [ "$(status "$1")" = 200 ]; }

# wait_for SECONDS COMMAND...   Ask until the command's status is 0.
wait_for() {
  _n=$(($1 * 10)); shift
  while ! "$@"; do _n=$((_n - 1)); [ "$_n" -gt 0 ] || return 1; sleep 0.1; done
}

# started PID   Print when a process began, so that another one with the same number differs.
started() { cut -d')' -f2 "/proc/$1/stat" 2>/dev/null | cut -d' ' -f21 || echo gone; }

# alive PID_FILE   Tell whether the process of a pid file runs.
alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

# daemon NAME COMMAND...   Run in the background, its number in $HERE/NAME.pid.
daemon() {
  _d=$1; shift
  setsid sh -c 'echo $$ >"$0"; exec "$@"' "$HERE/$_d.pid" "$@" </dev/null >>"$HERE/$_d.out" 2>&1 &
  wait_for 5 test -s "$HERE/$_d.pid"
}
