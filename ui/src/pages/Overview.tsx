import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useLong } from "../api/lists";
import { approvals, incidents, overview } from "../api/queries";
import type { Incident, Overview as Numbers } from "../api/types";
import { duration, number } from "../format";
import { ApprovalBox } from "../parts/ApprovalBox";
import { IncidentTable } from "../parts/IncidentTable";
import { Empty, Loaded } from "../parts/Loaded";
import { Card, Page } from "../parts/Page";
import { Trends } from "./overview/Trends";

const SHOWN = 8; // incidents; the rest is one click away

export default function Overview() {
  const numbers = useQuery(overview);
  const waiting = useQuery(approvals("pending")).data?.items ?? [];
  const latest = useLong(incidents({}, SHOWN));

  return (
    <Page title="Overview">
      <Loaded query={numbers}>{(data) => <Figures of={data} />}</Loaded>
      {waiting.map((approval) => (
        <ApprovalBox key={approval.id} approval={approval} />
      ))}
      <Left of={numbers.data?.left_to_people_7d ?? []} />
      <Trends />
      <Card title="Latest incidents" aside={<Link to="/incidents">All incidents</Link>}>
        <Loaded query={latest}>
          {({ pages }) => {
            const rows = pages.flatMap((page) => page.items);
            return rows.length === 0 ? (
              <Empty title="No incident yet">
                Hosts are being watched. <code>sentienguard drill run</code> puts a real, bounded
                fault on this machine, so that you see one from start to end.
              </Empty>
            ) : (
              <IncidentTable rows={rows.slice(0, SHOWN)} />
            );
          }}
        </Loaded>
      </Card>
    </Page>
  );
}

/** What ended without a remedy that worked: a list of the latest would show it as closed. */
function Left({ of }: { of: Incident[] }) {
  if (of.length === 0) return null;
  return (
    <Card
      title="Nobody has taken these up"
      aside={<span className="dim">the newest of 7 days that no remedy ended</span>}
    >
      <IncidentTable rows={of} label="Not taken up" />
    </Card>
  );
}

function Figures({ of }: { of: Numbers }) {
  const apart = [
    ...(of.quarantined_hosts > 0 ? [`${number(of.quarantined_hosts)} in quarantine`] : []),
    ...(of.silent_hosts > 0 ? [`${number(of.silent_hosts)} silent`] : []),
  ];
  const share = (part: number) =>
    of.closed_7d === 0 ? "–" : `${Math.round((100 * part) / of.closed_7d)} %`;
  return (
    <div className="figures">
      <Figure name="Open incidents" value={number(of.open)} warn={of.open > 0}>
        <Link to="/incidents">show</Link>
      </Figure>
      <Figure
        name="Awaiting approval"
        value={number(of.awaiting_approval)}
        warn={of.awaiting_approval > 0}
      >
        <Link to="/approvals">answer</Link>
      </Figure>
      <Figure name="Resolved, 7 days" value={share(of.resolved_7d)}>
        {number(of.resolved_7d)} of {number(of.closed_7d)} closed
      </Figure>
      <Figure name="With nobody involved" value={share(of.unattended_7d)}>
        {number(of.unattended_7d)} of {number(of.closed_7d)} closed
      </Figure>
      <Figure
        name="Median time to resolve"
        value={
          of.median_seconds_to_resolve_7d === null ? "–" : duration(of.median_seconds_to_resolve_7d)
        }
      >
        by a remedy, last 7 days
      </Figure>
      <Figure name="Hosts" value={number(of.hosts)} warn={apart.length > 0}>
        {apart.length === 0 ? "all heard" : apart.join(", ")} <Link to="/hosts">show</Link>
      </Figure>
    </div>
  );
}

function Figure({ name, value, warn = false, children }: {
  name: string;
  value: string;
  warn?: boolean;
  children: ReactNode;
}) {
  return (
    <div className="card figure" data-warn={warn}>
      <span className="dim">{name}</span>
      <strong>{value}</strong>
      <span className="dim">{children}</span>
    </div>
  );
}
