// What somebody changed: text of others, shown as text.
import type { Evidence, Suspect } from "../../api/types";
import { Table } from "../../parts/Page";
import { Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";

type Change = Evidence["changes"][number];

/** What was changed before the decision, newest first. */
export function Changes({ of }: { of: Evidence }) {
  if (of.changes.length === 0) return null;
  return (
    <>
      <h3>Changes before</h3>
      <Table stacks label="Changes before" head={["When", "What", "Where", "By"]}>
        {of.changes.map((change) => (
          <tr key={change.id}>
            <td><Time at={change.at} /></td>
            <td className="wide"><What of={change} /></td>
            <td data-name="of" className="path">{change.service || "not said"}</td>
            <td data-name="by" className="path">{change.by || "not said"}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}

/** The changes that a diagnosis would look at first, with what the evidence knows of them. */
export function Suspected({ of, known }: { of: Suspect[]; known: Change[] }) {
  const named = of.filter(({ object }) => object !== NOBODYS);
  const nobodys = of.find(({ object }) => object === NOBODYS);
  if (named.length === 0) {
    return (
      <>
        <h3>Changes to look at</h3>
        <p className="dim">None that would explain it.</p>
      </>
    );
  }
  return (
    <>
      <h3>Changes to look at</h3>
      <Table stacks label="Changes to look at" head={["When", "What", "Where", "By", "Score", "Because"]}>
        {named.map((suspect) => {
          const change = known.find(({ id }) => id === suspect.object);
          return (
            <tr key={suspect.object}>
              <td>{change && <Time at={change.at} />}</td>
              <td className="wide">{change ? <What of={change} /> : <code>{suspect.object}</code>}</td>
              <td data-name="of" className="path">{change?.service || "not said"}</td>
              <td data-name="by" className="path">{change?.by || "not said"}</td>
              <td data-name="score" className="number">{suspect.score.toFixed(2)}</td>
              <td className="wide">
                {suspect.evidence.join("; ")}
                {suspect.against.length > 0 && (
                  <div className="dim">against it: {suspect.against.join("; ")}</div>
                )}
              </td>
            </tr>
          );
        })}
      </Table>
      {nobodys && <p className="dim">That it was nobody's change: score {nobodys.score.toFixed(2)}.</p>}
    </>
  );
}

const NOBODYS = "none";

function What({ of }: { of: Change }) {
  return (
    <>
      <Tag tone="quiet">{of.kind}</Tag> {of.version !== "" && <strong>{of.version}</strong>}{" "}
      {of.summary}
      <div className="dim path"><code>{of.id}</code></div>
    </>
  );
}
