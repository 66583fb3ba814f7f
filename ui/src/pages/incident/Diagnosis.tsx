import { useQuery } from "@tanstack/react-query";
import { diagnosis } from "../../api/queries";
import type { Diagnosis as Told, Suspect } from "../../api/types";
import { Empty, Loaded } from "../../parts/Loaded";
import { Card, Facts } from "../../parts/Page";
import { Tag } from "../../parts/Tag";

/** What the incident comes from: the way of the cause, what speaks for and against it. */
export function Diagnosis({ id }: { id: string }) {
  const query = useQuery(diagnosis(id));
  if (query.data?.asked === false) return null; // nobody looked: before a decision, or long ago
  return (
    <Card id="diagnosis" title="Root cause" aside={query.data && <Standing of={query.data} />}>
      <Loaded query={query}>{(told) => <Whole of={told} />}</Loaded>
    </Card>
  );
}

function Standing({ of }: { of: Told }) {
  if (of.first === null) return <Tag tone="quiet">nobody is blamed</Tag>;
  const sure = `confidence ${percent(of.confidence)}`;
  return <Tag tone={of.sure ? "busy" : "quiet"}>{of.sure ? sure : `a hint, ${sure}`}</Tag>;
}

function Whole({ of }: { of: Told }) {
  if (of.absent !== "") return <Empty title="No diagnosis">{of.absent}</Empty>;
  if (of.first === null) return <Empty title="It abstains: nobody is blamed">{of.abstained}</Empty>;
  const change = of.changes[0];
  return (
    <>
      <Way of={of.first} />
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
          Measurements put the cause where a remedy on this host does not reach
          {of.blame.hosts.length > 0 && <>: <strong>{of.blame.hosts.join(", ")}</strong></>}.
        </p>
      )}
      <Said title="For it" texts={of.first.evidence} none="nothing was said" />
      <Said title="Against it" texts={of.first.against} none="nothing" />
      <Facts
        of={[
          ["Runner-up", of.runner_up === null ? "none" : <Second key="second" of={of.runner_up} />],
          [
            "Change to look at",
            change === undefined || change.object === "none"
              ? "none that would explain it"
              : <code key="change">{change.object}</code>,
          ],
          ...(of.left_out.length > 0
            ? [["Left out", of.left_out.join("; ")] as [string, string]]
            : []),
        ]}
      />
    </>
  );
}

/** From the cause to where the symptom is seen. */
function Way({ of }: { of: Suspect }) {
  return (
    <ol className="way" aria-label="From the cause to the symptom">
      {of.path.map((name) => <li key={name}><code>{name}</code></li>)}
    </ol>
  );
}

function Second({ of }: { of: Suspect }) {
  return (
    <>
      <code>{of.object}</code> <span className="dim">score {of.score.toFixed(2)}</span>
    </>
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
