import { NativeSelect } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { hosts, me, type HostFilter } from "../api/queries";
import type { Host, HostPage } from "../api/types";
import { metricKey, number, plural, reading } from "../format";
import { narrowed, Typed } from "../parts/Filters";
import { Empty, Loaded } from "../parts/Loaded";
import { LongTable } from "../parts/LongTable";
import { More } from "../parts/More";
import { Page } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { Time } from "../parts/Time";

const route = getRouteApi("/inside/hosts");
type Counts = HostPage["counts"];

const STATES = [
  { state: "quarantine", label: "in quarantine" },
  { state: "silent", label: "silent" },
] as const;
const stateOf = (said: string | undefined) => STATES.find(({ state }) => state === said)?.state;

export default function Hosts() {
  const filter = asked(route.useSearch());
  const query = useInfiniteQuery(hosts(filter));
  return (
    <Page title="Hosts">
      <Loaded query={query}>
        {({ pages }) => {
          const counts = pages[0]?.counts;
          if (counts === undefined || (counts.all === 0 && Object.keys(filter).length === 0)) {
            return <Nobody />;
          }
          return (
            <>
              <States of={counts} />
              <Filter filter={filter} found={counts[stateOf(filter.state) ?? "all"]} />
              <Listed pages={pages} />
              {query.hasNextPage && (
                <More
                  label="Show more"
                  busy={query.isFetchingNextPage}
                  more={() => void query.fetchNextPage()}
                />
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

/** What the address asks for, without what is no state. */
function asked({ state, ...rest }: HostFilter): HostFilter {
  const known = stateOf(state);
  return narrowed({ ...rest, ...(known ? { state: known } : {}) });
}

function Nobody() {
  return (
    <Empty title="No host is enrolled">
      <code>sentienguard tokens</code> makes a join token; <code>sentienguard-agent enroll</code>{" "}
      uses it on the host.
    </Empty>
  );
}

function Filter({ filter, found }: { filter: HostFilter; found: number }) {
  const navigate = route.useNavigate();
  const { text, environment } = filter;
  const set = (change: HostFilter) =>
    void navigate({ search: (old) => narrowed({ ...old, ...change }), replace: true });
  const places = Object.keys(useQuery(me).data?.permissions ?? {}).filter((name) => name !== "*");
  return (
    <div role="search" className="stack">
      <div className="row filters">
        <Typed
          label="Search hosts"
          type="search"
          placeholder="name, environment or tag"
          wide
          value={text}
          set={(said) => set({ text: said })}
        />
        <NativeSelect
          label="Environment"
          value={environment ?? ""}
          onChange={(event) => set({ environment: event.currentTarget.value })}
          data={[{ value: "", label: "any" }, ...new Set([...places, ...(environment ? [environment] : [])])]}
        />
      </div>
      <p className="dim" role="status">{plural(found, "host")}</p>
    </div>
  );
}

/** How many are in a state that people should know of; each leads to those hosts. */
function States({ of }: { of: Counts }) {
  const { state } = route.useSearch();
  const shown = STATES.filter((one) => of[one.state] > 0 || one.state === state);
  if (shown.length === 0) return null;
  const current = (chosen: boolean) => (chosen ? "page" : undefined);
  return (
    <nav className="row tabs" aria-label="Which hosts">
      <Link
        to="/hosts"
        search={({ state: _, ...old }) => old}
        aria-current={current(shown.every((one) => one.state !== state))}
      >
        all
      </Link>
      {shown.map((one) => (
        <Link
          key={one.state}
          to="/hosts"
          search={(old) => ({ ...old, state: one.state })}
          aria-current={current(one.state === state)}
        >
          {number(of[one.state])} {one.label}
        </Link>
      ))}
    </nav>
  );
}

/** The hosts of all pages; one that moved between two readings stands where it was read first. */
function Listed({ pages }: { pages: HostPage[] }) {
  const rows = useMemo(() => {
    const known = new Map<string, Host>();
    for (const host of pages.flatMap(({ items }) => items)) {
      if (!known.has(host.agent_id)) known.set(host.agent_id, host);
    }
    return [...known.values()];
  }, [pages]);
  return rows.length === 0 ? <Empty title="No host matches" /> : <HostTable rows={rows} />;
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
