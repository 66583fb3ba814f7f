// Numbers, names and spans of time as people read them.

const METRICS: Record<string, string> = {
  "system.cpu_percent": "CPU",
  "system.memory_percent": "Memory",
  "system.swap_percent": "Swap",
  "system.load_average_1m": "Load, 1 min",
  "system.load_average_5m": "Load, 5 min",
  "system.load_average_15m": "Load, 15 min",
  "system.disk_usage_percent": "Disk usage",
  "system.disk_free_bytes": "Disk free",
  "system.inode_usage_percent": "Inodes used",
  "system.network_rx_bytes_per_s": "Network in",
  "system.network_tx_bytes_per_s": "Network out",
  "system.network_errors_per_s": "Network errors",
  "system.processes": "Processes",
  "system.zombies": "Zombie processes",
  "system.uptime_s": "Uptime",
  "service.up": "Service process",
  "service.healthy": "Service health",
  "service.http_ms": "Service response time",
  "service.http_status": "Service HTTP status",
  "system.clock_error_s": "Clock error",
  "system.clock_step_s": "Clock step",
  "system.clock_synchronised": "Clock synchronised",
  "system.conntrack_percent": "Connections tracked",
  "system.disk_busy_percent": "Disk busy",
  "system.disk_latency_ms": "Disk latency",
  "system.disk_read_bytes_per_s": "Disk read",
  "system.disk_write_bytes_per_s": "Disk written",
  "system.interface_up": "Interface",
  "system.listen_drops_per_s": "Connections dropped",
  "system.oom_kills": "Killed for memory",
  "system.open_files_percent": "Open files",
  "system.pressure_full_percent": "Pressure, all waiting,",
  "system.pressure_percent": "Pressure",
  "system.tcp_retransmit_percent": "TCP sent again",
  "log.messages_per_s": "Log lines",
  "log.new_trouble": "New trouble in",
  "log.trouble_per_s": "Trouble in",
};

export function metricName(metric: string, subject = ""): string {
  const name = METRICS[metric] ?? metric;
  return subject === "" ? name : `${name} ${subject}`;
}

/** Split `metric[subject]`. */
export function metricKey(key: string): { metric: string; subject: string } {
  const open = key.indexOf("[");
  return open > 0 && key.endsWith("]")
    ? { metric: key.slice(0, open), subject: key.slice(open + 1, -1) }
    : { metric: key, subject: "" };
}

export function reading(metric: string, value: number): string {
  if (metric === "service.up") return value >= 0.5 ? "running" : "not running";
  if (metric === "system.interface_up") return value >= 0.5 ? "up" : "down";
  if (metric === "system.clock_synchronised") return value >= 0.5 ? "yes" : "no";
  if (metric === "service.healthy") return value >= 0.5 ? "healthy" : "unhealthy";
  if (metric.endsWith("_percent")) return `${number(value)} %`;
  if (metric.endsWith("_bytes_per_s")) return `${bytes(value)}/s`;
  if (metric.endsWith("_bytes")) return bytes(value);
  if (metric.endsWith("_per_s")) return `${number(value)}/s`;
  if (metric.endsWith("_ms")) return `${number(value)} ms`;
  if (metric.endsWith("_s")) return duration(value);
  return number(value);
}

/** Readings that are yes or no. */
export function isState(metric: string): boolean {
  return STATES.has(metric);
}

const STATES = new Set([
  "service.up",
  "service.healthy",
  "system.interface_up",
  "system.clock_synchronised",
]);

/** Whether a host read it: an alert of another system and a request of a person have no value. */
export function wasRead(metric: string): boolean {
  return metric !== "alert.firing" && metric !== "playbook.requested";
}

/** What was read, as half a sentence. */
export function claim(metric: string, subject: string, value: number): string {
  if (metric === "alert.firing") return `Alert ${subject} fires`;
  if (metric === "playbook.requested") return `${subject} was asked for`;
  const verb = isState(metric) ? "is" : "at";
  return `${metricName(metric, subject)} ${verb} ${reading(metric, value)}`;
}

/** What is wrong, before anything that was thought or done about it. */
export function symptom(of: {
  metric: string;
  subject: string;
  value: number;
  host: string;
}): string {
  return `${claim(of.metric, of.subject, of.value)} on ${of.host}`;
}

export function number(value: number, digits = 2): string {
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) >= 100 ? 0 : digits });
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let size = Math.abs(value);
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${value < 0 ? "−" : ""}${number(size, 1)} ${units[unit]}`;
}

export function duration(seconds: number): string {
  if (seconds < 0) return `−${duration(-seconds)}`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${number(seconds, 1)} s`;
  if (seconds < 3600) return two(seconds, 60, "min", 1, "s");
  if (seconds < 86_400) return two(seconds, 3600, "h", 60, "min");
  return two(seconds, 86_400, "d", 3600, "h");
}

function two(seconds: number, big: number, bigName: string, small: number, smallName: string) {
  const units = Math.round(seconds / small); // rounded first, so that 59.9 does not become 60
  const perBig = big / small;
  const rest = units % perBig;
  return `${Math.floor(units / perBig)} ${bigName}${rest === 0 ? "" : ` ${rest} ${smallName}`}`;
}

export function secondsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 1000;
}

export function utc(at: string): string {
  return `${new Date(at).toISOString().replace("T", " ").replace(/\.000Z$|Z$/, "")} UTC`;
}

/** The viewer's clock with UTC behind it, where there is room for words alone. */
export function bothClocks(at: string): string {
  return `${clock(at)} (${utc(at)})`;
}

const SAME_DAY = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const OTHER_DAY = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
  hourCycle: "h23",
});
const OTHER_YEAR = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
  hourCycle: "h23",
});

/** The viewer's clock; the date only where it is not today's. */
export function clock(at: string, now = new Date()): string {
  const time = new Date(at);
  if (time.toDateString() === now.toDateString()) return SAME_DAY.format(time);
  return (time.getFullYear() === now.getFullYear() ? OTHER_DAY : OTHER_YEAR).format(time);
}

/** The same with its date, whatever day it is: for two ends of a span. */
export function dated(at: string): string {
  return OTHER_YEAR.format(new Date(at));
}

const HOUR = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/**
 * Moments of an axis, in seconds: the viewer's clock, with seconds where they are closer than a
 * minute, and the day below where one begins. What would say the same again says nothing.
 */
export function timeTicks(ticks: number[]): string[] {
  const [first = 0, second = first + 60] = ticks;
  const format = second - first < 60 ? SAME_DAY : HOUR;
  let day = "";
  let before = "";
  return ticks.map((tick) => {
    const at = new Date(tick * 1000);
    const [clock, today] = [format.format(at), DAY.format(at)];
    const words = today !== day ? `${clock}\n${today}` : clock === before ? "" : clock;
    [day, before] = [today, clock];
    return words;
  });
}

export function ago(at: string, now = Date.now()): string {
  const seconds = (now - Date.parse(at)) / 1000;
  if (Math.abs(seconds) < 5) return "just now";
  const [size, unit] =
    Math.abs(seconds) < 60 ? [1, "s"] as const
    : Math.abs(seconds) < 3600 ? [60, "min"] as const
    : Math.abs(seconds) < 172_800 ? [3600, "h"] as const
    : [86_400, "d"] as const;
  const count = Math.round(Math.abs(seconds) / size);
  return seconds >= 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** A share between 0 and 1; null where there is nothing to divide. */
export function percent(share: number | null | undefined): string {
  return share == null ? "–" : `${number(share * 100, 1)} %`;
}
