import { TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue, useMemo } from "react";
import { hosts } from "../api/queries";
import type { Host } from "../api/types";
import { metricKey, plural, reading } from "../format";
import { Empty, Loaded } from "../parts/Loaded";
import { LongTable } from "../parts/LongTable";
import { Page } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { Time } from "../parts/Time";

const route = getRouteApi("/inside/hosts");

const STATES: { state: string; label: string; holds: (host: Host) => boolean }[] = [
  { state: "quarantine", label: "in quarantine", holds: (host) => host.quarantined !== "" },
  { state: "silent", label: "silent", holds: (host) => host.silent },
];

export default function Hosts() {
  const query = useQuery(hosts);
  return (
    <Page title="Hosts">
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No host is enrolled">
              <code>sentienguard tokens</code> makes a join token; <code>sentienguard-agent
              enroll</code> uses it on the host.
            </Empty>
          ) : (
            <Listed items={items} />
          )
        }
      </Loaded>
    </Page>
  );
}

function Listed({ items }: { items: Host[] }) {
  const { text = "", state = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const words = useDeferredValue(text).toLowerCase();
  const holds = STATES.find((one) => one.state === state)?.holds ?? (() => true);
  const sorted = useMemo(() => worstFirst(items), [items]);
  const found = sorted.filter((host) => holds(host) && matches(host, words));
  return (
    <>
      <States of={items} />
      <TextInput
        type="search"
        label={`Search ${plural(items.length, "host")}`}
        placeholder="name, environment or tag"
        value={text}
        onChange={(event) => {
          const value = event.currentTarget.value;
          void navigate({
            search: ({ text: _, ...old }) => (value === "" ? old : { ...old, text: value }),
            replace: true,
          });
        }}
      />
      {found.length === 0 ? <Empty title="No host matches" /> : <HostTable rows={found} />}
    </>
  );
}

/** How many are in a state that people should know of; each leads to those hosts. */
function States({ of }: { of: Host[] }) {
  const { state } = route.useSearch();
  const counted = STATES.map((one) => ({ ...one, count: of.filter(one.holds).length }));
  const shown = counted.filter((one) => one.count > 0 || one.state === state);
  if (shown.length === 0) return null;
  const current = (chosen: boolean) => (chosen ? "page" : undefined);
  return (
    <nav className="row tabs" aria-label="Which hosts">
      <Link
        to="/hosts"
        search={({ text }) => (text ? { text } : {})}
        aria-current={current(shown.every((one) => one.state !== state))}
      >
        all
      </Link>
      {shown.map((one) => (
        <Link
          key={one.state}
          to="/hosts"
          search={({ text }) => ({ ...(text ? { text } : {}), state: one.state })}
          aria-current={current(one.state === state)}
        >
          {one.count} {one.label}
        </Link>
      ))}
    </nav>
  );
}

/** Hosts in quarantine before the others, which stay by name. */
function worstFirst(items: Host[]): Host[] {
  const rank = (host: Host) => (host.quarantined === "" ? 1 : 0);
  return [...items].sort((one, other) => rank(one) - rank(other));
}

function matches(host: Host, words: string): boolean {
  if (words === "") return true;
  const tags = Object.entries(host.tags).map(([name, value]) => `${name}=${value}`);
  return [host.host, host.environment, ...tags].join(" ").toLowerCase().includes(words);
}

function HostTable({ rows }: { rows: Host[] }) {
  return (
    <LongTable
      label="Hosts"
      head={["Host", "Heard", "CPU", "Memory", "Fullest volume", "Incidents"]}
      rows={rows}
      keyOf={(host) => host.agent_id}
      cells={(host) => (
        <>
          <td>
            <Link to="/hosts/$agent" params={{ agent: host.agent_id }} className="strong">
              {host.host}
            </Link>{" "}
            <Quarantined host={host} />
            <div className="dim">{host.environment}</div>
          </td>
          <td><Heard host={host} /></td>
          <td data-name="CPU">{value(host, "system.cpu_percent")}</td>
          <td data-name="memory">{value(host, "system.memory_percent")}</td>
          <td data-name="fullest">{fullest(host)}</td>
          <td>
            {host.open_incidents === 0 ? (
              <span className="dim">none open</span>
            ) : (
              <Link to="/incidents" search={{ host: host.host }}>{host.open_incidents} open</Link>
            )}
          </td>
        </>
      )}
    />
  );
}

export function Quarantined({ host }: { host: Host }) {
  if (host.quarantined === "") return null;
  return <Tag tone="bad" title={host.quarantined}>in quarantine</Tag>;
}

export function Heard({ host }: { host: Host }) {
  if (host.last_seen === null) return <Tag tone="quiet">never</Tag>;
  return (
    <>
      {host.silent && <Tag tone="bad">silent</Tag>} <Time at={host.last_seen} relative />
    </>
  );
}

function value(host: Host, metric: string): string {
  const latest = host.metrics[metric];
  return latest === undefined ? "–" : reading(metric, latest);
}

function fullest(host: Host): string {
  const volumes = Object.entries(host.metrics)
    .map(([key, latest]) => ({ ...metricKey(key), latest }))
    .filter(({ metric }) => metric === "system.disk_usage_percent")
    .sort((one, other) => other.latest - one.latest);
  const top = volumes[0];
  return top === undefined
    ? "–"
    : `${reading(top.metric, top.latest)} ${top.subject}`;
}
