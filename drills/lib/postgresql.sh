# PostgreSQL drills on a node. Read it in a script: . $LIB/postgresql.sh
#
# The server is shown an hour of its own (libfaketime), so that what has to stand for minutes stands
# for them at once: `later SECONDS` puts its clock forward. Roles: repair (remedies and the agent),
# shop and reporting (applications), postgres (people).

as() { psql -qAtX -h /var/run/postgresql -U "$1" -d postgres -c "$2"; }

make_postgresql() {
  conf=/etc/postgresql/15/main
  echo 'local all all trust' >$conf/pg_hba.conf
  echo +0 >/srv/hour; chmod 644 /srv/hour
  lib=$(ls /usr/lib/*/faketime/libfaketime.so.1)
  printf "LD_PRELOAD = '%s'\nFAKETIME_TIMESTAMP_FILE = '/srv/hour'\nFAKETIME_NO_CACHE = '1'\nFAKETIME_DONT_FAKE_MONOTONIC = '1'\n" "$lib" >$conf/environment
  printf "autovacuum = off\n" >$conf/conf.d/drill.conf
  cd /; pg_ctlcluster 15 main start
  as postgres 'create role repair login in role pg_monitor, pg_signal_backend'
  as postgres 'create role shop login'; as postgres 'create role reporting login'
  as postgres 'create table orders as select generate_series(1,100) as id, 0 as n'
  as postgres 'alter table orders owner to shop'; as postgres 'grant select on orders to reporting'
  pg_ctlcluster 15 main stop; cd - >/dev/null
}

# session NAME ROLE APPLICATION SQL   Keep a session open that said this and says nothing more.
session() {
  daemon "$1" sh -c '(echo "$3"; sleep 900) | PGAPPNAME="$2" exec psql -qAtX -h /var/run/postgresql -U "$1" -d postgres' sh "$2" "$3" "$4"
}

# asking NAME ROLE SQL   Ask in the background; NAME.done appears when it was answered well.
asking() {
  daemon "$1" sh -c 'psql -qAtX -v ON_ERROR_STOP=1 -h /var/run/postgresql -U "$1" -d postgres -c "$2" && touch "$3"' sh "$2" "$3" "$HERE/$1.done"
}

later() { echo "+$1" >/srv/hour.new; mv /srv/hour.new /srv/hour; }

# says VALUE SQL   Tell whether this is the answer.
says() { [ "$(as postgres "$2")" = "$1" ]; }

# backends WHERE   Print the processes of the sessions for which this holds.
backends() { as postgres "select string_agg(pid::text, ' ' order by pid) from pg_stat_activity where $1"; }
