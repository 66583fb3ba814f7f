// What came of a backtest, beside what happened: the alerts that fired.
import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { BacktestReport, Route } from "../../api/types";
import { bothClocks, claim, duration, number, percent, plural } from "../../format";
import { Bars } from "../../parts/Bars";
import { Figure } from "../../parts/Figure";
import { Empty } from "../../parts/Loaded";
import { Card, Table } from "../../parts/Page";
import { RouteTag, SeverityTag, Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";

const ROUTES: Route[] = ["RUN", "RUN_AND_VERIFY", "ASK", "DRY_RUN", "ESCALATE"];
const SHOWN = 50; // incidents at first
const DAY_MS = 86_400_000;

export function Report({ of }: { of: BacktestReport }) {
  const { totals } = of;
  if (totals.incidents === 0) {
    return (
      <Empty title="Nothing would have been raised">
        {plural(totals.hosts, "host")} over {plural(of.days, "day")} showed nothing unusual. A
        higher sensitivity or more days may.
      </Empty>
    );
  }
  return (
    <>
      <div className="figures">
        <Figure name="Incidents" value={number(totals.incidents)}>
          {number(totals.per_host_week)} a host and week
        </Figure>
        <Figure name="With a playbook" value={percent(totals.with_playbook / totals.incidents)}>
          {number(totals.with_playbook)} of {number(totals.incidents)}
        </Figure>
        <Figure
          name="Unattended, once earned"
          value={percent(totals.unattended_once_earned / totals.incidents)}
        >
          {number(totals.unattended_once_earned)} would run by themselves
        </Figure>
        <Figure name="Work saved" value={duration(totals.minutes_saved * 60)}>an estimate</Figure>
      </div>
      <Compared of={of} />
      <Card title="Raised by day">
        <Bars
          of={of.days_raised.map((value, at) => ({
            name: bothClocks(new Date(Date.parse(of.from) + at * DAY_MS).toISOString()),
            value,
            words: plural(value, "incident"),
          }))}
          label={`${plural(of.days, "day")}, at most ${plural(Math.max(...of.days_raised), "incident")} on one`}
        />
        <p className="dim">
          <Time at={of.from} dated /> to <Time at={of.to} dated />, {plural(totals.hosts, "host")}, read every{" "}
          {duration(of.step_s)}
        </p>
      </Card>
      <Ways of={of} />
      {of.missing.length > 0 && (
        <Card title="What is missing for the rest">
          <Table stacks label="Missing" head={["Incidents", "Missing", "For", "Way there"]}>
            {of.missing.slice(0, 20).map((one) => (
              <tr key={`${one.kind} ${one.for} ${one.way}`}>
                <td className="number" data-name="incidents">{one.incidents}</td>
                <td>{one.kind}</td>
                <td className="path">{one.for}</td>
                <td className="wide">{one.way}</td>
              </tr>
            ))}
          </Table>
        </Card>
      )}
      <Incidents of={of} />
      <Card title="What this rests on">
        <ul>{of.assumptions.map((one) => <li key={one}>{one}</li>)}</ul>
      </Card>
    </>
  );
}

/** What happened, as far as the server's own alerts say. */
function Compared({ of: { alerts, totals } }: { of: BacktestReport }) {
  if (alerts === null) {
    return (
      <Card title="Compared with what happened">
        <p>No alert fired in this time, so nothing can be said about false alarms.</p>
      </Card>
    );
  }
  return (
    <Card title="Compared with what happened">
      <div className="figures">
        <Figure name="Alerts that we raised too" value={`${alerts.met} of ${alerts.of_hosts}`}>
          {number(alerts.episodes)} fired in all
        </Figure>
        <Figure name="Same symptom as an alert" value={number(alerts.same_symptom)}>
          of {number(totals.incidents)} incidents
        </Figure>
        <Figure name="Another alert on the host" value={number(alerts.same_host)}>
          from half an hour before to half an hour after
        </Figure>
        <Figure name="No alert near" value={number(alerts.unconfirmed)}>
          {number(alerts.unconfirmed_per_host_week)} a host and week
        </Figure>
      </div>
      {alerts.not_raised.length > 0 && (
        <>
          <p>Alerts that had no incident near:</p>
          <ul>
            {alerts.not_raised.map((one) => (
              <li key={one.alert}>{one.alert}, {plural(one.episodes, "time")}</li>
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}

function Ways({ of: { totals, playbooks } }: { of: BacktestReport }) {
  return (
    <Card title="What would be done">
      <Table stacks label="Ways" head={["Way", "On the first day", "Once earned"]}>
        {ROUTES.map((route) => (
          <tr key={route}>
            <td><RouteTag of={route} /></td>
            <td className="number" data-name="first day">{totals.routes_first_day[route] ?? 0}</td>
            <td className="number" data-name="once earned">{totals.routes_earned[route] ?? 0}</td>
          </tr>
        ))}
      </Table>
      {playbooks.length > 0 && (
        <Table stacks label="By playbook" head={["Playbook", "Incidents", "Hosts", "Work saved"]}>
          {playbooks.map((one) => (
            <tr key={one.playbook}>
              <td className="wide">
                <Link to="/playbooks/$name" params={{ name: one.playbook }}>{one.playbook}</Link>
              </td>
              <td className="number" data-name="incidents">{one.incidents}</td>
              <td className="number" data-name="hosts">{one.hosts}</td>
              <td className="number" data-name="saved">{duration(one.minutes_saved * 60)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  );
}

function Incidents({ of: { incidents, alerts } }: { of: BacktestReport }) {
  const [all, setAll] = useState(false);
  const shown = all ? incidents : incidents.slice(0, SHOWN);
  return (
    <Card title="Incidents" aside={<span className="dim">newest first</span>}>
      <Table stacks label="Incidents that would have been" head={["Opened", "What", "Playbook", "Once earned", "Alerts"]}>
        {shown.map((one, at) => (
          <tr key={at}>
            <td><Time at={one.opened_at} /></td>
            <td className="wide">
              {one.host}: {claim(one.metric, one.subject, one.value)} <SeverityTag of={one.severity} />
              <div className="dim">{one.reason}, for {duration(one.minutes * 60)}</div>
            </td>
            <td>
              {one.playbook === null ? (
                <span className="dim">none</span>
              ) : (
                <Link to="/playbooks/$name" params={{ name: one.playbook }}>{one.playbook}</Link>
              )}
            </td>
            <td><RouteTag of={one.route_earned} /></td>
            <td>
              {alerts !== null &&
                (one.alert_names.length > 0 ? (
                  one.alert_names.join(", ")
                ) : (
                  <Tag tone="warn">none near</Tag>
                ))}
            </td>
          </tr>
        ))}
      </Table>
      {!all && incidents.length > SHOWN && (
        <Button variant="default" onClick={() => setAll(true)}>
          Show all {number(incidents.length)}
        </Button>
      )}
    </Card>
  );
}
