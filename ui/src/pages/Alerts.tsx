// What other monitoring systems said, and what became of it.
import { Button, TextInput } from "@mantine/core";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue } from "react";
import { useLong } from "../api/lists";
import { ALERTS_MS, alerts } from "../api/queries";
import type { Alert } from "../api/types";
import { Empty, Loaded } from "../parts/Loaded";
import { Page, Table } from "../parts/Page";
import { AlertTag, Tag } from "../parts/Tag";
import { Time } from "../parts/Time";

const route = getRouteApi("/inside/alerts");
const LABELS = 5; // shown of one alert; the rest is in its title

export default function Alerts() {
  const { text = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const words = useDeferredValue(text).toLowerCase();
  const query = useLong(alerts, ALERTS_MS);
  return (
    <Page title="Alerts">
      <Loaded query={query}>
        {({ pages }) => {
          const all = pages.flatMap((page) => page.items);
          if (all.length === 0) {
            return (
              <Empty title="No alert has come">
                <code>sentienguard tokens add</code> makes a token for Alertmanager, Grafana,
                Datadog, PagerDuty or CloudEvents; what they send comes here.
              </Empty>
            );
          }
          const found = all.filter((alert) => matches(alert, words));
          return (
            <>
              <TextInput
                type="search"
                label="Search what is loaded"
                placeholder="name, label, sender or what became of it"
                value={text}
                onChange={(event) => {
                  const value = event.currentTarget.value;
                  void navigate({ search: value === "" ? {} : { text: value }, replace: true });
                }}
              />
              {found.length === 0 ? (
                <Empty title="No alert matches" />
              ) : (
                <AlertTable rows={found} />
              )}
              {query.hasNextPage && (
                <Button
                  variant="default"
                  loading={query.isFetchingNextPage}
                  onClick={() => void query.fetchNextPage()}
                >
                  Show older
                </Button>
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function matches(alert: Alert, words: string): boolean {
  if (words === "") return true;
  const labels = Object.entries(alert.labels).map(([name, value]) => `${name}=${value}`);
  const said = [alert.name, alert.sender, alert.status, alert.environment, alert.reason];
  return [...said, alert.result ?? "waits", ...labels].join(" ").toLowerCase().includes(words);
}

function AlertTable({ rows }: { rows: Alert[] }) {
  return (
    <Table stacks label="Alerts" head={["Received", "Alert", "Sender", "State", "Became"]}>
      {rows.map((alert) => (
        <tr key={alert.number}>
          <td><Time at={alert.received_at} relative /></td>
          <td className="wide">
            <span className="strong">{alert.name}</span>
            <div>{alert.reason}</div>
            <Labels of={alert.labels} />
          </td>
          <td data-name="from">
            {alert.sender || "–"}
            <div className="dim">{alert.environment}</div>
          </td>
          <td>
            <Tag tone={alert.status === "firing" ? "bad" : "good"}>{alert.status}</Tag>
          </td>
          <td>
            <AlertTag of={alert.result ?? "waits"} />
            {alert.incident !== null && (
              <div>
                <Link to="/incidents/$id" params={{ id: alert.incident }}>its incident</Link>
              </div>
            )}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Labels({ of }: { of: Record<string, string> }) {
  const all = Object.entries(of)
    .filter(([name]) => name !== "alertname")
    .map(([name, value]) => `${name}=${value}`);
  const rest = all.length - LABELS;
  return (
    <div className="dim path" title={all.join("\n")}>
      {all.slice(0, LABELS).join(" ")}
      {rest > 0 && ` and ${rest} more`}
    </div>
  );
}
