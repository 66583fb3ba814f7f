# A RabbitMQ for drills, on loopback, with a port mapper of its own.
#
#   sh rabbitmq.sh HERE start   begin it and return once it takes messages; its process in HERE/broker.pid
#   sh rabbitmq.sh HERE ctl ... ask its rabbitmqctl
#
# HERE/broker.ports holds a line for each of MAPPER AMQP NODES METRICS API STOMP, which `start` needs.
set -eu
here=$1; shift
. "$here/broker.ports"
export HOME=$here ERL_EPMD_PORT=$MAPPER ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_NODENAME=drill$MAPPER@localhost RABBITMQ_DIST_PORT=$NODES
export RABBITMQ_CONFIG_FILE=$here/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$here/plugins
export RABBITMQ_MNESIA_BASE=$here/broker RABBITMQ_LOG_BASE=$here/logs RABBITMQ_PID_FILE=$here/beam.pid
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-start_epmd false +S 1:1'
program=/usr/lib/rabbitmq/bin

case $1 in
start)
  printf 'listeners.tcp.1 = 127.0.0.1:%s\nprometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = %s\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %s\nstomp.listeners.tcp.1 = 127.0.0.1:%s\ncollect_statistics_interval = 500\ndisk_free_limit.absolute = 1MB\n' "$AMQP" "$METRICS" "$API" "$STOMP" >rabbitmq.new
  mv rabbitmq.new "$here/rabbitmq.conf"
  echo '[rabbitmq_prometheus,rabbitmq_management,rabbitmq_stomp].' >"$here/plugins"
  setsid epmd -address 127.0.0.1 -port "$MAPPER" </dev/null >/dev/null 2>&1 &
  setsid sh -c 'echo $$ >"$0/broker.pid"; exec "$1/rabbitmq-server"' "$here" "$program" </dev/null >>"$here/broker.log" 2>&1 &
  n=500
  until curl -s -m 2 -o /dev/null "http://127.0.0.1:$METRICS/metrics" && grep -q 'completed with' "$here/broker.log"; do
    n=$((n - 1)); [ $n -gt 0 ] || exit 1; sleep 0.1
  done ;;
ctl) shift; exec "$program/rabbitmqctl" --quiet "$@" ;;
esac
