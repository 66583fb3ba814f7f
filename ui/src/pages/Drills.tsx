// Real, bounded faults: which there are, what came of each here, and running one where that is allowed.
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useDeferredValue } from "react";
import { useMay } from "../api/access";
import { request } from "../api/client";
import { drills } from "../api/queries";
import type { Drill, DrillList, DrillRun } from "../api/types";
import { duration, number, plural } from "../format";
import { Bars } from "../parts/Bars";
import { Figure } from "../parts/Figure";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Card, Page, Table } from "../parts/Page";
import { ErrandTag, Tag } from "../parts/Tag";
import { Time } from "../parts/Time";

const route = getRouteApi("/inside/drills");

export default function Drills() {
  return (
    <Page title="Drills">
      <p>
        A drill puts a real fault on a machine, inside bounds, and looks whether it is noticed, fixed
        and verified. A decoy looks like a fault and has to be left alone.
      </p>
      <Loaded query={useQuery(drills)}>{(found) => <Whole of={found} />}</Loaded>
    </Page>
  );
}

function Whole({ of }: { of: DrillList }) {
  const { text = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const words = useDeferredValue(text).toLowerCase();
  const shown = of.items.filter((one) =>
    [one.name, one.kind, one.description, one.expected].join(" ").toLowerCase().includes(words),
  );
  return (
    <>
      <Numbers of={of} />
      {of.runs.length > 0 && <Runs of={of.runs} />}
      <Card title="All drills" aside={<span className="dim">{plural(of.items.length, "drill")}</span>}>
        {!of.allowed && (
          <p className="dim">
            They do not run from here: the setting <code>drills</code> is off. On the machine
            itself: <code>sentienguard drill run NAME</code>.
          </p>
        )}
        <TextInput
          type="search"
          label="Search drills"
          placeholder="name, fault or decoy, what happens"
          value={text}
          onChange={(event) => {
            const value = event.currentTarget.value;
            void navigate({ search: value === "" ? {} : { text: value }, replace: true });
          }}
        />
        {shown.length === 0 ? (
          <Empty title="No drill matches" />
        ) : (
          <Table stacks label="Drills" head={["Drill", "Expected", "Last report", ""]}>
            {shown.map((one) => <Row key={one.name} of={one} allowed={of.allowed} />)}
          </Table>
        )}
      </Card>
    </>
  );
}

function Numbers({ of: { totals, totals_at, items } }: { of: DrillList }) {
  if (totals === null) {
    return (
      <Empty title="No report of all drills here">
        <code>sentienguard drill run-all</code> runs them with this data directory and fills this
        page; an interrupted run goes on where it was.
      </Empty>
    );
  }
  const times = items.flatMap(({ name, last }) =>
    last?.seconds == null ? [] : [{ name, value: last.seconds, words: duration(last.seconds) }],
  );
  times.sort((one, other) => one.value - other.value);
  return (
    <>
      <div className="figures">
        <Figure name="Ended as they should" value={`${totals.passed} of ${totals.drills}`}>
          {totals_at !== null && <>report of <Time at={totals_at} /></>}
        </Figure>
        <Figure name="Resolved without a person" value={`${totals.unattended} of ${totals.unattended_of}`}>
          of faults that are meant for it
        </Figure>
        <Figure name="Harmful actions" value={number(totals.harmful)}>
          invariants that did not hold after
        </Figure>
        <Figure name="Decoys left alone" value={`${totals.decoys_right} of ${totals.decoys}`} />
        <Figure name="Undone wholly" value={`${totals.rollbacks_restored} of ${totals.rollbacks}`}>
          tries that failed
        </Figure>
        <Figure
          name="Fault to verified fix"
          value={totals.fixed_median_s === null ? "–" : duration(totals.fixed_median_s)}
        >
          {totals.fixed_p90_s === null ? "median" : `median; nine in ten ${duration(totals.fixed_p90_s)}`}
        </Figure>
      </div>
      {times.length > 0 && (
        <Card title="Fault to verified fix, by drill">
          <Bars
            of={times}
            label={`${plural(times.length, "drill")} from ${times[0]?.words} to ${times.at(-1)?.words}`}
          />
          <p className="dim">
            {times[0]?.name} was fastest with {times[0]?.words}, {times.at(-1)?.name} slowest
            with {times.at(-1)?.words}.
          </p>
        </Card>
      )}
    </>
  );
}

function Row({ of, allowed }: { of: Drill; allowed: boolean }) {
  return (
    <tr>
      <td className="wide">
        <span className="strong">{of.name}</span> <Tag tone="quiet">{of.kind}</Tag>
        <div className="dim">{of.description}</div>
      </td>
      <td data-name="expected">{of.expected}</td>
      <td><Last of={of} /></td>
      <td>{allowed && <Run drill={of.name} />}</td>
    </tr>
  );
}

function Last({ of: { last } }: { of: Drill }) {
  if (last === null) return <span className="dim time">in no report</span>;
  const failed = last.checks.filter(({ passed }) => !passed);
  return (
    <>
      <Verdict passed={last.passed} trouble={last.trouble} />
      {last.ended != null && <div className="dim">{last.ended.replaceAll("_", " ")}</div>}
      {last.seconds != null && <div className="dim">{duration(last.seconds)}</div>}
      {last.harmed.length > 0 && <div className="error">harmed: {last.harmed.join(", ")}</div>}
      {(last.trouble !== "" || failed.length > 0) && (
        <details>
          <summary>why</summary>
          {last.trouble !== "" && <p>{last.trouble}</p>}
          <ul className="checks">
            {failed.map((check) => <li key={check.name}>{check.name}: {check.detail}</li>)}
          </ul>
        </details>
      )}
    </>
  );
}

function Verdict({ passed, trouble = "" }: { passed: boolean; trouble?: string }) {
  if (trouble !== "") return <Tag tone="warn">nothing learnt</Tag>;
  return passed ? <Tag tone="good">as expected</Tag> : <Tag tone="bad">not as expected</Tag>;
}

function Run({ drill }: { drill: string }) {
  const may = useMay("run_drill");
  const queries = useQueryClient();
  const run = useMutation({
    mutationFn: () => request<DrillRun>("POST", `/drills/${encodeURIComponent(drill)}/runs`),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["drills"] }),
  });
  return (
    <>
      <Button
        size="xs"
        variant="default"
        aria-label={`Run ${drill}`}
        disabled={!may}
        title={may ? "Puts this fault on the control plane's machine" : "Your role does not include running drills"}
        loading={run.isPending}
        onClick={() => run.mutate()}
      >
        Run
      </Button>
      {run.error && <Failure error={run.error} />}
    </>
  );
}

function Runs({ of }: { of: DrillRun[] }) {
  return (
    <Card title="Asked for here">
      <Table stacks label="Runs" head={["Asked", "Drill", "State", "By", ""]}>
        {of.map((one) => (
          <tr key={one.id}>
            <td><Time at={one.asked_at} relative /></td>
            <td className="wide">
              {one.drill}
              {one.doing !== "" && <div className="dim" aria-live="polite">{one.doing}</div>}
              {one.detail !== "" && <div className="dim path">{one.detail}</div>}
            </td>
            <td>
              {one.passed === null ? <ErrandTag of={one.state} /> : <Verdict passed={one.passed} />}
              {one.seconds !== null && <div className="dim">{duration(one.seconds)}</div>}
              {one.checks.length > 0 && <Checks of={one.checks} />}
            </td>
            <td>{one.by}</td>
            <td><End of={one} /></td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

function Checks({ of }: { of: DrillRun["checks"] }) {
  const held = of.filter(({ passed }) => passed).length;
  return (
    <details open={held < of.length}>
      <summary>{held} of {plural(of.length, "check")} held</summary>
      <ul className="checks">
        {of.map((one) => (
          <li key={one.name}>
            {one.passed ? "" : <strong>not: </strong>}{one.name}: <span className="dim">{one.detail}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function End({ of }: { of: DrillRun }) {
  const may = useMay("run_drill");
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: () => request<void>("DELETE", `/drills/runs/${encodeURIComponent(of.id)}`),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["drills"] }),
  });
  const going = of.state === "waiting" || of.state === "working";
  return (
    <Button
      size="xs"
      variant="default"
      disabled={!may}
      aria-label={`${going ? "Stop" : "Forget"} ${of.drill}`}
      title={end.error?.message}
      loading={end.isPending}
      onClick={() => end.mutate()}
    >
      {going ? "Stop" : "Forget"}
    </Button>
  );
}
