// What would have been raised and decided over the past of a Prometheus: ask, watch, read.
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useMay } from "../api/access";
import { request } from "../api/client";
import { backtests, me } from "../api/queries";
import type { Backtest } from "../api/types";
import { plural } from "../format";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Card, Page, Table } from "../parts/Page";
import { ErrandTag } from "../parts/Tag";
import { Time } from "../parts/Time";
import { Progress } from "./backtest/Progress";

const USUAL = ["production", "staging", "dev", "drill"];

export default function Backtests() {
  return (
    <Page title="Backtests">
      <p>
        Detection, matching and policy run over the history that a Prometheus holds, and what they
        would have raised is compared with the alerts that fired. Nothing is changed anywhere.
      </p>
      <Loaded query={useQuery(backtests)}>
        {({ items, source }) => (
          <>
            {source === null ? (
              <Empty title="No server to read">
                Name one in the setting <code>prometheus_url</code> and restart the control plane,
                or run <code>sentienguard backtest --prometheus URL</code> where you are.
              </Empty>
            ) : (
              <Ask source={source} />
            )}
            {items.length === 0 ? (
              source !== null && (
                <Empty title="No backtest yet">
                  A week of twenty hosts takes a minute or two. It goes on when you leave this page.
                </Empty>
              )
            ) : (
              <Listed rows={items} />
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Ask({ source }: { source: string }) {
  const may = useMay("change_settings");
  const who = useQuery(me).data;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [days, setDays] = useState("7");
  const [environment, setEnvironment] = useState("production");
  const [sensitivity, setSensitivity] = useState("medium");
  const [minutes, setMinutes] = useState("30");
  const own = Object.keys(who?.permissions ?? {}).filter((name) => name !== "*");
  const ask = useMutation({
    mutationFn: () =>
      request<Backtest>("POST", "/backtests", {
        days: Number(days), environment, sensitivity, minutes: Number(minutes),
      }),
    onSuccess: async ({ id }) => {
      await queries.invalidateQueries({ queryKey: ["backtests"] });
      await navigate({ to: "/backtests/$id", params: { id } });
    },
  });
  const wrong = !(Number(days) >= 1 && Number(days) <= 366 && Number.isInteger(Number(days)));
  return (
    <Card title="New backtest" aside={<span className="dim path">reads {source}</span>}>
      <form
        className="row filters"
        onSubmit={(event) => {
          event.preventDefault();
          ask.mutate();
        }}
      >
        <TextInput
          type="number"
          label="Days"
          min={1}
          max={366}
          value={days}
          error={wrong ? "1 to 366" : undefined}
          onChange={(event) => setDays(event.currentTarget.value)}
        />
        <NativeSelect
          label="Its hosts count as"
          value={environment}
          data={[...new Set([...own, ...USUAL])]}
          onChange={(event) => setEnvironment(event.currentTarget.value)}
        />
        <NativeSelect
          label="Sensitivity"
          value={sensitivity}
          data={["low", "medium", "high"]}
          onChange={(event) => setSensitivity(event.currentTarget.value)}
        />
        <TextInput
          type="number"
          label="A person's minutes on one"
          min={0}
          value={minutes}
          onChange={(event) => setMinutes(event.currentTarget.value)}
        />
        <Button
          type="submit"
          loading={ask.isPending}
          disabled={wrong || !may}
          title={may ? undefined : "Your role does not include starting backtests"}
        >
          Start
        </Button>
      </form>
      {ask.error && <Failure error={ask.error} />}
    </Card>
  );
}

function Listed({ rows }: { rows: Backtest[] }) {
  return (
    <Card title="Backtests">
      <Table stacks label="Kept backtests" head={["Asked", "What", "State", "By"]}>
        {rows.map((one) => (
          <tr key={one.id}>
            <td><Time at={one.asked_at} relative /></td>
            <td className="wide">
              <Link to="/backtests/$id" params={{ id: one.id }}>
                {plural(one.days, "day")} as {one.environment}, {one.sensitivity} sensitivity
              </Link>
              {one.state === "working" && <Progress of={one} />}
              {one.detail !== "" && <div className="dim path">{one.detail}</div>}
            </td>
            <td><ErrandTag of={one.state} /></td>
            <td>{one.by}</td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}
