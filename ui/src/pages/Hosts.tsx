import { TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue } from "react";
import { hosts } from "../api/queries";
import type { Host } from "../api/types";
import { metricKey, plural, reading } from "../format";
import { Empty, Loaded } from "../parts/Loaded";
import { LongTable } from "../parts/LongTable";
import { Page } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { Time } from "../parts/Time";

const route = getRouteApi("/inside/hosts");

export default function Hosts() {
  const { text = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const words = useDeferredValue(text).toLowerCase();
  return (
    <Page title="Hosts">
      <Loaded query={useQuery(hosts)}>
        {({ items }) => {
          if (items.length === 0) {
            return (
              <Empty title="No host is enrolled">
                <code>sentienguard tokens</code> makes a join token; <code>sentienguard-agent
                enroll</code> uses it on the host.
              </Empty>
            );
          }
          const found = items.filter((host) => matches(host, words));
          return (
            <>
              <TextInput
                type="search"
                label={`Search ${plural(items.length, "host")}`}
                placeholder="name, environment or tag"
                value={text}
                onChange={(event) => {
                  const value = event.currentTarget.value;
                  void navigate({ search: value === "" ? {} : { text: value }, replace: true });
                }}
              />
              {found.length === 0 ? (
                <Empty title="No host matches" />
              ) : (
                <HostTable rows={found} />
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
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
            </Link>
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
