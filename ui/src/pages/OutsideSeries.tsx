// What other systems send of a host: those that stopped first, one of them as a chart with its band.
import { Button, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { outsideReadings, outsideSeries } from "../api/queries";
import type { OutsideSeries as One } from "../api/types";
import { number, plural } from "../format";
import { Chart } from "../parts/Chart";
import { Empty, Loaded } from "../parts/Loaded";
import { Card, Table } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { Time } from "../parts/Time";

/** `chosen`: the series that the address names, as `keyOf` writes it. */
export function OutsideSeries({ agent, minutes, chosen, choose }: {
  agent: string;
  minutes: number;
  chosen: string | undefined;
  choose: (series: string) => void;
}) {
  const [text, setText] = useState("");
  const query = useQuery(outsideSeries(agent, useDeferredValue(text)));
  if (text === "" && chosen === undefined && (query.data?.total ?? 0) === 0) return null;
  return (
    <Card title="From other systems">
      <TextInput
        type="search"
        label="Search series of other systems"
        value={text}
        maxLength={200}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {chosen !== undefined && <OutsideChart agent={agent} series={chosen} minutes={minutes} />}
      <Loaded query={query}>
        {({ items, total, stopped }) => (
          <>
            <p className="dim">
              {plural(total, "series", "series")}, {stopped} stopped
              {total > items.length && `; the first ${items.length} are shown`}
            </p>
            <Table stacks label="Series of other systems" head={["Series", "Last value", "Last read", "Usual"]}>
              {items.map((one) => (
                <tr key={keyOf(one)} data-chosen={keyOf(one) === chosen}>
                  <td>
                    <Button size="compact-sm" variant="subtle" onClick={() => choose(keyOf(one))}>
                      {one.metric}
                    </Button>
                    <div className="dim">{labelsOf(one).join(", ")}</div>
                  </td>
                  <td className="number">{number(one.value, 3)}</td>
                  <td>
                    {one.stopped_since !== null && <Tag tone="warn">stopped</Tag>}{" "}
                    <Time at={one.at} relative />
                  </td>
                  <td className="number">
                    {one.baseline === null
                      ? "–"
                      : `${number(one.baseline.mean, 3)} ± ${number(one.baseline.stddev, 3)}`}
                  </td>
                </tr>
              ))}
            </Table>
          </>
        )}
      </Loaded>
    </Card>
  );
}

function OutsideChart({ agent, series, minutes }: {
  agent: string;
  series: string;
  minutes: number;
}) {
  const [metric = "", ...labels] = series.split(BETWEEN);
  const query = useQuery(outsideReadings(agent, metric, labels, minutes));
  return (
    <Loaded query={query}>
      {(data) =>
        data.points.length === 0 ? (
          <Empty title="Nothing was read in this span" />
        ) : (
          <Chart
            metric={data.metric}
            subject={labels.join(", ")}
            points={data.points}
            baseline={data.baseline}
            band={data.band}
          />
        )
      }
    </Loaded>
  );
}

function labelsOf({ labels }: One): string[] {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`);
}

const BETWEEN = "\n"; // no name and no label has one

function keyOf(one: One): string {
  return [one.metric, ...labelsOf(one)].join(BETWEEN);
}
