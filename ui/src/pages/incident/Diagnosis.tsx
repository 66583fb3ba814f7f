import { useQuery } from "@tanstack/react-query";
import { diagnosis } from "../../api/queries";
import type { Diagnosis as Told, Story } from "../../api/types";
import { plural } from "../../format";
import { Empty, Loaded } from "../../parts/Loaded";
import { Card, Facts, Table } from "../../parts/Page";
import { Tag } from "../../parts/Tag";
import { Suspected } from "./Changes";
import { Named, Picture, Way } from "./Way";

/** What the incident comes from: the way of the cause, what speaks for and against it. */
export function Diagnosis({ story }: { story: Story }) {
  const query = useQuery(diagnosis(story.incident.id));
  if (query.data?.asked === false) return null; // nobody looked: before a decision, or long ago
  return (
    <Card id="diagnosis" title="Root cause" aside={query.data && <Standing of={query.data} />}>
      <Loaded query={query}>{(told) => <Whole of={told} story={story} />}</Loaded>
    </Card>
  );
}

function Standing({ of }: { of: Told }) {
  if (of.first === null) return <Tag tone="quiet">nobody is blamed</Tag>;
  const sure = `confidence ${percent(of.confidence)}`;
  return <Tag tone={of.sure ? "busy" : "quiet"}>{of.sure ? sure : `a hint, ${sure}`}</Tag>;
}

function Whole({ of, story }: { of: Told; story: Story }) {
  if (of.absent !== "") return <Empty title="No diagnosis">{of.absent}</Empty>;
  if (of.first === null) return <Empty title="It abstains: nobody is blamed">{of.abstained}</Empty>;
  return (
    <>
      <Way of={of.first} story={story} />
      <Picture told={of} of={of.first} story={story} />
      {of.sure ? (
        <p>
          {of.first.cause === "" ? "It" : <code>{of.first.cause}</code>} explains{" "}
          {percent(of.first.share)} of the symptom.
        </p>
      ) : (
        <p>
          Not established: {of.first.path.length === 1
            ? "nothing that was measured points beyond the place where it is seen"
            : "this is the likeliest of what was measured"}
          , and too unsure to go by.
        </p>
      )}
      {of.blame !== null && !of.blame.is_here && (
        <p className="notice" data-tone="warn">
          <span>
            Measurements put the cause where a remedy on this host does not reach
            {of.blame.hosts.length > 0 && <>: <strong>{of.blame.hosts.join(", ")}</strong></>}.
          </span>
        </p>
      )}
      <Said title="For it" texts={of.first.evidence} none="nothing was said" />
      <Said title="Against it" texts={of.first.against} none="nothing" />
      <Suspected of={of.changes} known={story.decision?.evidence.changes ?? []} />
      <Others of={of} story={story} />
      <Travelled of={of} story={story} />
      {of.left_out.length > 0 && <Facts of={[["Left out", of.left_out.join("; ")]]} />}
    </>
  );
}

/** Who else was weighed: the runner-up, then those further behind. */
function Others({ of, story }: { of: Told; story: Story }) {
  const weighed = of.runner_up === null ? of.others : [of.runner_up, ...of.others];
  if (weighed.length === 0) return <p className="dim">Nobody else came into question.</p>;
  return (
    <>
      <h3>Others that were weighed</h3>
      <Table stacks label="Others that were weighed" head={["Object", "Cause", "Score", "Why not"]}>
        {weighed.map((one, at) => (
          <tr key={one.object}>
            <td className="path">
              <Named object={one.object} story={story} />{" "}
              {at === 0 && of.runner_up !== null && <Tag tone="quiet">runner-up</Tag>}
            </td>
            <td>{one.cause}</td>
            <td className="number" data-name="score">{one.score.toFixed(2)}</td>
            <td className="wide">
              {one.against.join("; ") || "nothing speaks against it"}
              {one.evidence.length > 0 && <div className="dim">for it: {one.evidence.join("; ")}</div>}
            </td>
          </tr>
        ))}
      </Table>
    </>
  );
}

/** Every step that the fault took, also off the way to the symptom. */
function Travelled({ of, story }: { of: Told; story: Story }) {
  if (of.edges.length === 0) return null;
  return (
    <details>
      <summary>How it travelled: {plural(of.edges.length, "step")}</summary>
      <ul className="checks" aria-label="How it travelled">
        {of.edges.map(([cause, effect]) => (
          <li key={`${cause} ${effect}`}>
            <Named object={cause} story={story} /> → <Named object={effect} story={story} />
          </li>
        ))}
      </ul>
    </details>
  );
}

function Said({ title, texts, none }: { title: string; texts: string[]; none: string }) {
  return (
    <>
      <h3>{title}</h3>
      {texts.length === 0 ? <p className="dim">{none}</p> : (
        <ul className="checks" aria-label={title}>
          {texts.map((text) => <li key={text}>{text}</li>)}
        </ul>
      )}
    </>
  );
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
