import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Candidate, Confidence, Decision, Score, Story } from "../../api/types";
import { number } from "../../format";
import { ApprovalBox } from "../../parts/ApprovalBox";
import { Empty } from "../../parts/Loaded";
import { Card, Facts, Table } from "../../parts/Page";
import { RouteTag, Tag } from "../../parts/Tag";

/** What was decided, with every reason. */
export function Decide({ story }: { story: Story }) {
  const { decision, approval } = story;
  return (
    <Card id="decide" title="Decide" aside={decision && <RouteTag of={decision.route} />}>
      {decision === null ? (
        <Empty title="No decision">
          {story.incident.status === "CLOSED"
            ? "The incident ended before one was needed."
            : "Evidence is being gathered; the decision follows at once."}
        </Empty>
      ) : (
        <>
          <Choice of={decision} />
          {decision.confidence && <ConfidencePart of={decision.confidence} />}
          <Verdicts of={decision} />
          <Candidates of={decision.candidates} />
        </>
      )}
      {approval && approval.status !== "pending" && (
        <ApprovalBox approval={approval} linked={false} />
      )}
    </Card>
  );
}

function Choice({ of }: { of: Decision }) {
  if (of.playbook === null) return <p>No playbook was chosen.</p>;
  return (
    <Facts
      of={[
        [
          "Playbook",
          <span key="playbook">
            <Link to="/playbooks/$name" params={{ name: of.playbook }}>{of.playbook}</Link>{" "}
            {of.version}
          </span>,
        ],
        ...Object.entries(of.parameters).map(([name, value]): [string, string] => [name, value]),
        ...(of.digest === null
          ? []
          : [["Digest", <code key="digest">{of.digest}</code>] as [string, ReactNode]]),
      ]}
    />
  );
}

const BANDS = [0.7, 0.8, 0.9, 0.95]; // where the policy's confidence rule changes its mind

function ConfidencePart({ of }: { of: Confidence }) {
  const [low, high] = [percent(of.low), percent(of.high)];
  const range = low === high ? "" : `${low} to ${high}`; // one that was cut to its most says nothing
  return (
    <>
      <h3>
        Confidence {percent(of.value)}{" "}
        {range !== "" && <span className="dim">90 % interval {range}</span>}
      </h3>
      <div
        className="interval"
        role="img"
        aria-label={`${percent(of.value)}${range && `, 90 % interval ${range}`}`}
      >
        <div
          className="interval-range"
          style={{ left: `${of.low * 100}%`, width: `${(of.high - of.low) * 100}%` }}
        />
        {BANDS.map((band) => (
          <div
            key={band}
            className="interval-band"
            style={{ left: `${band * 100}%` }}
            title={`policy band at ${percent(band)}`}
          />
        ))}
        <div className="interval-value" style={{ left: `${of.value * 100}%` }} />
      </div>
      <p className="dim">
        The probability that this playbook resolves this incident. Ticks: the policy's bands.
      </p>
      <Scores of={of.items} label="What the confidence is made of" />
    </>
  );
}

function Scores({ of, label }: { of: Score[]; label: string }) {
  return (
    <Table stacks label={label} head={["Part", "Value", "Because"]}>
      {of.map((item) => (
        <tr key={item.name}>
          <td>{item.name.replaceAll("_", " ")}</td>
          <td className="number">{number(item.value, 3)}</td>
          <td className="wide">{item.because}</td>
        </tr>
      ))}
    </Table>
  );
}

function Verdicts({ of }: { of: Decision }) {
  const agreed = of.verdicts.every((verdict) => verdict.deciding); // then none stands out
  return (
    <>
      <h3>
        {agreed
          ? `Policy: all ${of.verdicts.length} rules agree`
          : `Policy: the most restrictive of ${of.verdicts.length} rules wins`}
      </h3>
      <Table stacks label="Policy rules" head={["Rule", "Would allow", "Because"]}>
        {of.verdicts.map((verdict) => (
          <tr key={verdict.rule} data-deciding={verdict.deciding && !agreed}>
            <td>
              {verdict.rule} {verdict.deciding && !agreed && <Tag tone="busy">deciding</Tag>}
            </td>
            <td><RouteTag of={verdict.route} /></td>
            <td className="wide">{verdict.reason}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}

function Candidates({ of }: { of: Candidate[] }) {
  if (of.length === 0) return <p className="dim">No playbook applies to this symptom here.</p>;
  const best = Math.max(...of.map((candidate) => candidate.score), Number.EPSILON);
  return (
    <>
      <h3>Playbooks considered</h3>
      <ol className="candidates">
        {of.map((candidate) => (
          <li key={candidate.digest}>
            <details>
              <summary>
                <span className="strong">{candidate.playbook}</span>{" "}
                <span className="dim">{candidate.version}</span>
                <span className="bar" aria-hidden="true">
                  <span style={{ width: `${(100 * Math.max(candidate.score, 0)) / best}%` }} />
                </span>
                <span className="number">{number(candidate.score, 3)}</span>
              </summary>
              <Scores of={candidate.items} label={`Score of ${candidate.playbook}`} />
              <Link to="/playbooks/$name" params={{ name: candidate.playbook }}>
                Open the playbook
              </Link>
            </details>
          </li>
        ))}
      </ol>
    </>
  );
}

function percent(share: number): string {
  return `${number(share * 100, 1)} %`;
}
