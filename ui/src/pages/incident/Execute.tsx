import type { Order, Step, Story } from "../../api/types";
import { duration } from "../../format";
import { Empty } from "../../parts/Loaded";
import { Card, Facts } from "../../parts/Page";
import { OrderTag, StepTag, Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";

const PHASES: { phase: Step["phase"]; title: string }[] = [
  { phase: "pre_check", title: "Pre-checks" },
  { phase: "step", title: "Steps" },
  { phase: "verify", title: "Verification" },
  { phase: "undo", title: "Undo" },
];

/** What the host did. */
export function Execute({ story }: { story: Story }) {
  const { order, incident } = story;
  return (
    <Card id="execute" title="Execute" aside={order && <OrderTag of={order.status} />}>
      {order === null ? (
        <Empty title={incident.status === "CLOSED" ? "Nothing was run" : "Nothing runs yet"}>
          {incident.status === "AWAITING_APPROVAL"
            ? "An order is released when a person approves."
            : "An order is released only when the decision allows it."}
        </Empty>
      ) : (
        <Report of={order} />
      )}
    </Card>
  );
}

function Report({ of }: { of: Order }) {
  return (
    <>
      {of.refused_because !== null && (
        <div className="notice" data-tone="bad">
          <div><strong>The host refused the order.</strong><p>{of.refused_because}</p></div>
        </div>
      )}
      {of.left_behind.length > 0 && (
        <div className="notice" data-tone="bad">
          <div>
            <strong>Not undone, people must look:</strong>
            <ul>{of.left_behind.map((name) => <li key={name}>{name}</li>)}</ul>
          </div>
        </div>
      )}
      {of.reason !== null && <p>{of.reason}</p>}
      <Facts
        of={[
          ["Released", <Time key="released" at={of.released_at} />],
          ["Outcome", of.outcome === null ? "not reported yet" : words(of.outcome)],
          ...(of.dry_run
            ? [["Dry run", "nothing was changed"] as [string, string]]
            : []),
          ...(of.stop_requested_by !== null
            ? [["Stop asked for by", of.stop_requested_by] as [string, string]]
            : []),
          ["Order", <code key="id">{of.id}</code>],
        ]}
      />
      {PHASES.map(({ phase, title }) => {
        const steps = of.steps.filter((step) => step.phase === phase);
        if (steps.length === 0) return null;
        return (
          <div key={phase}>
            <h3>{title}</h3>
            <ol className="steps">
              {steps.map((step, at) => <OneStep key={at} of={step} />)}
            </ol>
          </div>
        );
      })}
    </>
  );
}

function OneStep({ of }: { of: Step }) {
  const output = of.stdout !== "" || of.stderr !== "";
  const bad = of.status === "failed" || of.status === "timed_out";
  return (
    <li data-status={of.status}>
      <div className="row">
        <StepTag of={of.status} />
        <strong>{of.name}</strong>
        <span className="dim">
          {duration(of.duration_ms / 1000)} at <Time at={of.started_at} />
        </span>
        {of.exit_code !== null && <Tag tone="quiet">exit {of.exit_code}</Tag>}
      </div>
      <p>{of.detail}</p>
      {output && (
        <details open={bad}>
          <summary>Output</summary>
          {of.stdout !== "" && <pre className="output" tabIndex={0}>{of.stdout}</pre>}
          {of.stderr !== "" && (
            <pre className="output" data-stream="stderr" tabIndex={0} aria-label="Standard error">
              {of.stderr}
            </pre>
          )}
        </details>
      )}
    </li>
  );
}

function words(outcome: string): string {
  return outcome.toLowerCase().replaceAll("_", " ");
}
