"""The language of remedies: what a playbook.yaml may say, and what it means.

Called by the control plane (import, lint, matching), by the executor (which reads a signed
playbook by itself), by the simulation and by the CLI. Pure: bytes in, nouns of `model.playbook`
out. What belongs here: reading (`parse` with `document`, `parts`, `fields`, `problems`), conditions
(`conditions`, `facts`, `units`), the closed kinds of actions and checks with their fields (`kinds`,
`slots`), judging (`lint` with `lint_safety`, `commands`, `findings`, `places`), the JSON Schema for
editors (`schema`), drafts of what other tools run (`importing`) and the one paragraph of a README
that people are shown (`readme`). What does not: measuring a fact, running a step, signatures,
files.

To add a kind: one entry in `kinds.STEPS` or `kinds.CHECKS`, one file in `stages/execute/steps` or
`stages/execute/checks`, a row below and in docs/reference/playbooks.md (a test compares them).

What the executor reads, after parsing
--------------------------------------
`Action.fields` and `Check.fields` hold these names and no others; `?` marks what may be absent.
A *Value* is a literal or a `model.playbook.Param` that stands for the whole value. Durations are
seconds as float and sizes are bytes as int, unless a Param stands there, whose bound text
`units.seconds` or `units.bytes_of` reads. `timeout`, `retry` and `retry_delay` never stay in
fields: they are members of Step, Check and Undo.

Steps (`Action.kind`: fields):
    ssh_command  argv?: tuple[Value, ...] (argv[0] an absolute path, never a Param), user?: str
    service      operation: start | stop | restart | kill_and_start | end_leftovers | reload |
                 restore,
                 service: Value
    fs           operation, then by operation:
                 clean       path: Value, below?: str, pattern: str, min_age: seconds,
                             max_files?: int, keep_newest?: int      delete matching files
                 quarantine  path, below?, pattern, min_age?, min_size?: bytes, max_files?,
                             keep_newest?, rest?: stays | refuse     move them aside, same volume
                 truncate    path, below?, pattern, min_size?: bytes, max_files?
                                                                     empty them, keep the inode
                 set_setting file_of: Value (service whose config_file) or path: str (a file),
                             key: str, value: str                    one `key = value` line
                 use_backup  file_of or path, suffix: str             the copy FILE + suffix
                 restore     nothing else; only as undo
    process      operation: terminate | kill | renice | continue | reap, pid: Value,
                 name?: str (command name it must have; written process_name in the file),
                 nice?: int (renice, 1 to 19), grace?: seconds (terminate: how long it may take
                 to end); or restore: nothing else; only as undo
    http         method: GET | HEAD | POST, url: str or url_of: Value (service),
                 expected_status: int
    sql_query    query: str, service?: Value (whose database), values?: tuple[Value, ...] (bound
                 to $1 or ?), for_each?: str (a statement for whose rows `query` is run)
    kubectl_delete          object: Param, status: crash_loop | oom_killed | image_pull,
                            at_most: int (pods)
    kubectl_rollout_restart, kubectl_rollout_undo, kubectl_cordon, kubectl_uncordon   object: Param
    kubectl_scale           object: Param, replicas: int
    kubectl_set_limits      object: Param, by_percent: int, at_most_bytes: bytes
    kubectl_set_autoscale   object: Param, by_percent: int, at_most: int
    aws_cli, gcloud, az_cli object: Param, call: str, and by call: by_percent?, at_most?,
                            keep_percent?
    ssh_command             with object: Param, call: restart_unit instead of argv
    object                  restore: nothing else; only as undo
    redis        operation: set_policy | flush | drop_clients | save | reconnect | restore, service:
                 Value, policy: str (set_policy), min_buffer: bytes, at_most: int (drop_clients)
    haproxy      operation: ready_drained | drain_flapping | restore, service: Value, at_most: int,
                 min_downs: int (drain_flapping)
    rabbitmq     operation: close_stuck, service: Value, min_idle: seconds, at_most: int
    certificate  operation: renew, service: Value
    open_files   operation: truncate_deleted, service: Value, pattern: str, min_size?: bytes,
                 max_files?: int
    locks        operation: release | restore, min_age: seconds, max_files?: int
    kernel       operation: raise | restore, setting: str, value: int
`object` is a parameter of type object, which names one object of a target that the owner of a relay
agent declared; which call fits which kind of object is `objects.ACTS`. The fields resource, name,
selector, namespace and argv of these kinds are read in drafts and run nowhere.

`path` is an absolute literal directory or a mountpoint parameter; `below` is a relative directory
under it without `..`; `pattern` is a glob that matches file names only, never a `/`. Files are
found in the whole tree below, on the same file system, regular files only, no links followed.
`below` that does not exist means that nothing is found.
`restore` puts back what the step being undone recorded before it acted: the moved files, the bytes
of the changed file, the state (running or stopped) of the service, the priority of the process.
`reap` sends SIGCHLD, so that a parent collects its zombies. `start` on a running service and `stop`
on a stopped one do nothing and succeed.

Checks (`Check.kind`: fields), the same as pre-check and as verification:
    condition          condition: str                        for conditions.parse
    metric             metric: str (a fact), threshold: str  for conditions.of_metric
    http               url: str or url_of: Value (service), expected_status: int
    process            name: str (command name) or service: Value (then `name`, where it is
                       written, names the check), state: running | stopped, min_uptime?: seconds
    command            argv: tuple[Value, ...], expected_exit_code: int
    log_check          file: str or log_of: Value (service), pattern: str (regular expression),
                       max_matches: int, lookback: seconds
    tag_check          tag: str, expect_value: str | bool | number
    setting_check      file_of: Value (service whose config_file) or path: str, key: str
    concurrency_check  scope: host
    resources          disk_free?: bytes (volume of the parameter `mount`, else /),
                       memory_free?: bytes
    dependencies       binaries?: tuple[str, ...], services?: tuple[Value, ...]
    maintenance        nothing: passes when neither a maintenance window nor do-not-remediate is on
    sql_query, sql     query: str, service?: Value, values?: tuple[Value, ...],
                       expect_rows?: int, expect_value?: Value

`Step.only_if` and `Playbook.guard` are condition texts. `Playbook.needs` is closed too:
    write:/dir  write:@mount  (files below)     config:@service (its declared config_file)
    service:@service  service:nginx             kill (signals)  nice (priorities)
    run:/usr/bin/program                        loopback (http steps)
"""
