import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { Problem } from "../api/client";
import { host as oneHost, series } from "../api/queries";
import type { HostDetail } from "../api/types";
import { metricKey, metricName, reading } from "../format";
import { Chart } from "../parts/Chart";
import { Empty, Loaded } from "../parts/Loaded";
import { Card, Facts, Page, Table } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { Time } from "../parts/Time";
import { Heard } from "./Hosts";
import { Done, Leaving, Quarantine, type Verb } from "./host/Identity";
import { MayRun } from "./host/MayRun";
import { OutsideSeries } from "./OutsideSeries";

const route = getRouteApi("/inside/hosts/$agent");

const SPANS = [
  { value: "60", label: "1 hour" },
  { value: "360", label: "6 hours" },
  { value: "1440", label: "1 day" },
  { value: "10080", label: "7 days" },
];
const FIRST = ["system.cpu_percent", "system.memory_percent", "system.disk_usage_percent"];

export default function Host() {
  const { agent } = route.useParams();
  const query = useQuery(oneHost(agent));
  const gone = query.error instanceof Problem && query.error.status === 404;
  return (
    <Page title={query.data?.host ?? "Host"}>
      {gone ? (
        <Empty title="No such host">
          It may have been removed. <Link to="/hosts">All hosts</Link>
        </Empty>
      ) : (
        <Loaded query={query}>{(host) => <Whole key={agent} host={host} />}</Loaded>
      )}
    </Page>
  );
}

function Whole({ host }: { host: HostDetail }) {
  const { metric: chosen, minutes = "60", outside } = route.useSearch();
  const navigate = route.useNavigate();
  const [done, setDone] = useState<Verb>();
  const struck = done === "strike-off" || host.struck_off !== null;
  const said = struck ? "strike-off" : done;
  const keys = Object.keys(host.metrics).sort();
  const shown =
    chosen !== undefined && keys.includes(chosen)
      ? [chosen]
      : keys.filter((key) => FIRST.includes(metricKey(key).metric));
  return (
    <>
      {said && (struck || host.quarantined === "") && <Done key={said} verb={said} host={host} />}
      {!struck && <Quarantine host={host} onJudged={setDone} />}
      <Card title="About">
        <Facts
          of={[
            ["Environment", host.environment],
            ["Heard", <Heard key="heard" host={host} />],
            ["Enrolled", <Time key="enrolled" at={host.enrolled_at} />],
            ["Certificate ends", <CertificateEnd key="certificate" at={host.certificate_ends} />],
            ["Root document", <RootVersion key="root" of={host} />],
            [
              "Incidents",
              <Link key="incidents" to="/incidents" search={{ host: host.host }}>
                {host.open_incidents} open, show all
              </Link>,
            ],
            ["Tags", Object.entries(host.tags).map(([key, tag]) => `${key}=${tag}`).join(", ") || "–"],
            ["Agent", <code key="agent">{host.agent_id}</code>],
          ]}
        />
        {!struck && <BehindRoot of={host} />}
      </Card>
      {keys.length === 0 ? (
        <Empty title="No reading yet">The first sample comes within one sampling interval.</Empty>
      ) : (
        <>
          <div className="row filters">
            <NativeSelect
              label="Metric"
              value={chosen ?? ""}
              onChange={(event) => {
                const value = event.currentTarget.value;
                void navigate({
                  search: ({ metric: _, ...old }) =>
                    value === "" ? old : { ...old, metric: value },
                  replace: true,
                });
              }}
              data={[
                { value: "", label: "the usual ones" },
                ...byName(keys).map((key) => ({ value: key, label: nameOf(key) })),
              ]}
            />
            <NativeSelect
              label="Span"
              value={minutes}
              onChange={(event) => {
                const value = event.currentTarget.value;
                void navigate({ search: (old) => ({ ...old, minutes: value }), replace: true });
              }}
              data={SPANS}
            />
          </div>
          <div className="columns">
            {shown.map((key) => (
              <OneChart key={key} agent={host.agent_id} of={key} minutes={Number(minutes) || 60} />
            ))}
          </div>
          {host.stopped.length > 0 && <Stopped of={host} />}
          <Card title="Latest readings">
            <Table label="Readings" head={["Metric", "Value"]}>
              {byName(keys).map((key) => (
                <tr key={key}>
                  <td className="path">
                    <Link
                      to="/hosts/$agent"
                      params={{ agent: host.agent_id }}
                      search={{ metric: key, minutes }}
                    >
                      {nameOf(key)}
                    </Link>
                  </td>
                  <td className="number">{reading(metricKey(key).metric, host.metrics[key] ?? NaN)}</td>
                </tr>
              ))}
            </Table>
          </Card>
        </>
      )}
      <MayRun host={host} />
      <OutsideSeries
        agent={host.agent_id}
        minutes={Number(minutes) || 60}
        chosen={outside}
        choose={(series) =>
          void navigate({ search: (old) => ({ ...old, outside: series }), replace: true })
        }
      />
      {!struck && <Leaving host={host} onJudged={setDone} />}
    </>
  );
}

function CertificateEnd({ at }: { at: string | null }) {
  if (at === null) return "not known";
  return (
    <>
      {Date.parse(at) < Date.now() && <Tag tone="warn">ended</Tag>} <Time at={at} />
    </>
  );
}

function RootVersion({ of }: { of: HostDetail }) {
  if (of.root_version === 0) return "not known";
  return (
    <>
      version {of.root_version} {isBehind(of) && <Tag tone="warn">behind</Tag>}
    </>
  );
}

/** What it means that a host goes by older keys than the control plane, and what ends it. */
function BehindRoot({ of }: { of: HostDetail }) {
  if (!isBehind(of)) return null;
  return (
    <p className="dim" role="status">
      The root document says which keys a host obeys. The control plane goes by
      version {of.centre_root_version}:{" "}
      {of.silent
        ? "this host takes it when it is back."
        : "this host takes it within a minute. Where it does not, it refused it, and its log says why."}
    </p>
  );
}

function isBehind(of: HostDetail): boolean {
  return of.root_version !== 0 && of.root_version < of.centre_root_version;
}

function Stopped({ of }: { of: HostDetail }) {
  return (
    <Card title="Series that stopped">
      <p className="dim">
        The host still reports, but leaves these out: what they measured may be gone, or cannot be
        read any more.
      </p>
      <Table stacks label="What stopped" head={["Metric", "Last value", "Last read"]}>
        {of.stopped.map((one) => (
          <tr key={`${one.metric}[${one.subject}]`}>
            <td>{metricName(one.metric, one.subject)}</td>
            <td className="number" data-name="last">{reading(one.metric, one.value)}</td>
            <td><Time at={one.last_at} relative /></td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

function OneChart({ agent, of, minutes }: { agent: string; of: string; minutes: number }) {
  const { metric, subject } = metricKey(of);
  const query = useQuery(series(agent, metric, subject, minutes));
  return (
    <Card title={nameOf(of)}>
      <Loaded query={query}>
        {(data) =>
          data.points.length === 0 ? (
            <Empty title="Nothing was read in this span" />
          ) : (
            <Chart
              metric={data.metric}
              subject={data.subject}
              points={data.points}
              baseline={data.baseline}
              band={data.band}
            />
          )
        }
      </Loaded>
    </Card>
  );
}

function byName(keys: string[]): string[] {
  return [...keys].sort((one, other) => nameOf(one).localeCompare(nameOf(other), "en"));
}

function nameOf(key: string): string {
  const { metric, subject } = metricKey(key);
  return metricName(metric, subject);
}
