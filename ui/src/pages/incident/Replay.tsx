// The decision made again from the log, and what another policy would have decided.
import { Button, NativeSelect, Textarea } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../../api/client";
import { replay } from "../../api/queries";
import type { Replay as Found, Story, WhatIf } from "../../api/types";
import { Failure } from "../../parts/Loaded";
import { Card, Table } from "../../parts/Page";
import { RouteTag, routeWords, Tag } from "../../parts/Tag";

const EXAMPLES = [
  { label: "a stricter confidence", policy: { confidence: { run_from: 0.99 } } },
  { label: "no budget for the fleet", policy: { fleet_budget: { fleet_starts_per_hour: 0 } } },
  { label: "autonomy after one success", policy: { earned_autonomy: { autonomy_successes: 1 } } },
];

export function Replay({ story }: { story: Story }) {
  const id = story.incident.id;
  const query = useQuery(replay(id));
  if (story.decision === null) return null;
  return (
    <Card id="replay" title="Make it again">
      <p className="dim">
        The decision is made again from what the audit log kept, by the code that runs today.
        Nothing is changed by it.
      </p>
      <div className="row">
        <Button variant="default" loading={query.isFetching} onClick={() => void query.refetch()}>
          Replay the decision
        </Button>
        {query.data && <Verdict of={query.data} />}
      </div>
      {query.error && <Failure error={query.error} />}
      {query.data && <Differences of={query.data} />}
      <OtherPolicy id={id} />
    </Card>
  );
}

function Verdict({ of }: { of: Found }) {
  return (
    <span role="status">
      {of.identical ? (
        <Tag tone="good">identical, bit for bit</Tag>
      ) : (
        <Tag tone="warn">comes out otherwise</Tag>
      )}
    </span>
  );
}

function Differences({ of }: { of: Found }) {
  return (
    <>
      {of.notes.map((note) => <p key={note} className="dim">{note}</p>)}
      {of.differences.length > 0 && (
        <Table stacks label="Differences" head={["Field", "Recorded", "Today"]}>
          {of.differences.map((one) => (
            <tr key={one.field}>
              <td>{one.field}</td>
              <td className="path" data-name="recorded">{one.recorded}</td>
              <td className="path" data-name="today">{one.replayed}</td>
            </tr>
          ))}
        </Table>
      )}
      {of.changes.length > 0 && (
        <Table stacks label="What is another version today" head={["What", "Then", "Today"]}>
          {of.changes.map((one) => (
            <tr key={one.what}>
              <td>{one.what}</td>
              <td className="path" data-name="then">{one.recorded}</td>
              <td className="path" data-name="today">{one.today}</td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

function OtherPolicy({ id }: { id: string }) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState("");
  const ask = useMutation({
    mutationFn: (policy: unknown) =>
      request<Found>("POST", `/incidents/${encodeURIComponent(id)}/replay`, { policy }),
  });
  const submit = () => {
    const policy = read(text);
    setWrong(policy === undefined ? "A JSON object of rules is expected, such as the example." : "");
    if (policy !== undefined) ask.mutate(policy);
  };
  return (
    <details>
      <summary>What if the policy were another?</summary>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <NativeSelect
          label="Begin with"
          value=""
          data={[{ value: "", label: "an example…" }, ...EXAMPLES.map(({ label }) => label)]}
          onChange={(event) => {
            const chosen = EXAMPLES.find(({ label }) => label === event.currentTarget.value);
            if (chosen) setText(JSON.stringify(chosen.policy, null, 2));
          }}
        />
        <Textarea
          label="Policy"
          description="Settings by rule, as JSON; what is left out stays as it was then"
          rows={6}
          spellCheck={false}
          className="policy"
          value={text}
          error={wrong === "" ? undefined : wrong}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <div className="row">
          <Button type="submit" loading={ask.isPending} disabled={text.trim() === ""}>
            Show what it would decide
          </Button>
        </div>
      </form>
      {ask.error && <Failure error={ask.error} />}
      {ask.data?.what_if && <Compared of={ask.data.what_if} />}
    </details>
  );
}

function read(text: string): object | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === "object" && found !== null && !Array.isArray(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function Compared({ of }: { of: WhatIf }) {
  const same = of.recorded_route === of.under_route;
  return (
    <div className="stack" role="status">
      <p>
        {same ? (
          <>It stays at <RouteTag of={of.under_route} />.</>
        ) : (
          <>
            From <RouteTag of={of.recorded_route} /> to <RouteTag of={of.under_route} />.
          </>
        )}
      </p>
      {of.settings.length > 0 && (
        <Table stacks label="Settings that change" head={["Setting", "Then", "Under this policy"]}>
          {of.settings.map((one) => (
            <tr key={one.setting}>
              <td><code>{one.setting}</code></td>
              <td data-name="then">{one.recorded}</td>
              <td data-name="under this">{one.under}</td>
            </tr>
          ))}
        </Table>
      )}
      <Table stacks label="Rules under both policies" head={["Rule", "Then", "Under this policy", "Because"]}>
        {[...of.rules].sort((one, other) => Number(other.changed) - Number(one.changed)).map((one) => (
          <tr key={one.rule} data-deciding={one.changed}>
            <td>
              {one.rule} {one.changed && <Tag tone="busy">changed</Tag>}{" "}
              {one.deciding && !same && <Tag tone="warn">deciding</Tag>}
            </td>
            <td data-name="then">{one.recorded_route ? routeWords(one.recorded_route) : "not there"}</td>
            <td data-name="under this">{one.under_route ? routeWords(one.under_route) : "not there"}</td>
            <td className="wide">{one.under_reason || one.recorded_reason}</td>
          </tr>
        ))}
      </Table>
    </div>
  );
}
