import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Story, Trend } from "../../api/types";
import { duration, number, reading, wasRead } from "../../format";
import { Card, Facts } from "../../parts/Page";
import { SeverityTag, StateTag, Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";

/** The interval of the time left, where there is one. */
function interval(trend: Trend): string {
  if (trend.soonest_hours === null) return "";
  const latest = trend.latest_hours === null ? "never" : duration(trend.latest_hours * 3600);
  return ` (${duration(trend.soonest_hours * 3600)} to ${latest})`;
}

/** Why the reading is not normal. */
export function Detect({ story }: { story: Story }) {
  const { anomaly, decision, incident } = story;
  const { baseline, trend } = anomaly;
  const value = (of: number) => reading(anomaly.metric, of);
  const facts: [string, ReactNode][] = [
    ...(wasRead(anomaly.metric)
      ? [["Reading", <strong key="reading">{value(anomaly.value)}</strong>] as [string, ReactNode]]
      : []),
    [wasRead(anomaly.metric) ? "Read" : "Since", <Time key="at" at={anomaly.at} />],
    ["Ground", { baseline: "far from usual", limit: "over a limit", trend: "on its way to a limit", alert: "another system says so", silence: "nothing comes any more", deviation: "far from every mean", request: "a person asked for it" }[anomaly.ground]],
  ];
  if (anomaly.sigma !== null) {
    facts.push(["Distance from the mean", `${number(anomaly.sigma)} standard deviations`]);
  }
  if (baseline) {
    facts.push(
      ["Usual mean", value(baseline.mean)],
      ["Standard deviation", value(baseline.stddev)],
      ["p50 / p95 / p99", `${value(baseline.p50)} / ${value(baseline.p95)} / ${value(baseline.p99)}`],
      [
        "Learned from",
        `${number(baseline.samples)} readings${baseline.seasonal ? " at this time of day" : ""}`,
      ],
    );
  }
  if (trend) {
    facts.push([
      "Trend",
      `${trend.per_hour >= 0 ? "+" : ""}${value(trend.per_hour)} an hour` +
        (trend.hours_to_exhaustion === null
          ? ""
          : `, exhausted in ${duration(trend.hours_to_exhaustion * 3600)}${interval(trend)}`),
    ]);
  }
  const similar = decision?.evidence.similar ?? [];
  const others = incident.earlier.filter((id) => similar.every((past) => past.id !== id));
  return (
    <Card id="detect" title="Detect" aside={<SeverityTag of={anomaly.severity} />}>
      <p>{anomaly.reason}</p>
      <Facts of={facts} />
      {similar.length + others.length > 0 && (
        <>
          <h3>The same in the last 30 days</h3>
          <ul className="checks">
            {similar.map((past) => (
              <li key={past.id}>
                <Link to="/incidents/$id" params={{ id: past.id }}>{past.id}</Link>{" "}
                {past.outcome === null ? (
                  <Tag tone="busy">open</Tag>
                ) : (
                  <StateTag incident={{ status: "CLOSED", outcome: past.outcome }} />
                )}{" "}
                <span className="dim">{past.playbook ?? "no playbook"}</span>
              </li>
            ))}
            {others.map((id) => (
              <li key={id}>
                <Link to="/incidents/$id" params={{ id }}>{id}</Link>
              </li>
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}
