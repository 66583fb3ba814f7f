// A draft on its pretended host: ask, watch, stop, read. No host of anybody is touched.
import { Button } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { request } from "../../api/client";
import type { DraftDetail } from "../../api/types";
import { plural } from "../../format";
import { Failure } from "../../parts/Loaded";
import { Card, Table } from "../../parts/Page";
import { ErrandTag, Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";
import { TextEditor } from "./TextEditor";

export function Proof({ draft, text, onText, dirty, open }: {
  draft: DraftDetail;
  text: string;
  onText: (text: string) => void;
  dirty: boolean;
  open: boolean;
}) {
  const queries = useQueryClient();
  const path = `/playbook-drafts/${draft.id}/proof`;
  const again = () => queries.invalidateQueries({ queryKey: ["playbook", "draft", draft.id] });
  const ask = useMutation({ mutationFn: () => request("POST", path), onSuccess: again });
  const stop = useMutation({ mutationFn: () => request("DELETE", path), onSuccess: again });
  const run = draft.run;
  const runs = run !== null && (run.state === "waiting" || run.state === "working");
  const why = whyNot(draft, text, dirty);
  return (
    <Card title="Pretended host">
      <p>
        The playbook runs on a host that is only pretended: it has to heal it, to do nothing a second
        time, and to end undone or reported after a failure at each step. What is seen there is no
        promise about a real host.
      </p>
      <details>
        <summary>
          The host it is tried on, <code>simulation.yaml</code>
          {text.trim() === "" && ": none is written"}
        </summary>
        <TextEditor label="simulation.yaml" value={text} onChange={onText} readOnly={!open} />
      </details>
      {open && (
        <div className="row">
          <Button
            disabled={why !== undefined || runs}
            title={why}
            loading={ask.isPending}
            onClick={() => ask.mutate()}
          >
            Prove it
          </Button>
          {runs && (
            <Button variant="default" loading={stop.isPending} onClick={() => stop.mutate()}>
              Stop
            </Button>
          )}
          {why !== undefined && <span className="dim">{why}</span>}
        </div>
      )}
      {ask.error && <Failure error={ask.error} />}
      {stop.error && <Failure error={stop.error} />}
      <div role="status">
        {run !== null && (runs || run.state !== "done") && (
          <p className="row">
            <ErrandTag of={run.state} />
            <span>
              asked by {run.by} for revision {run.revision}
              {run.detail !== "" && `: ${run.detail}`}
            </span>
          </p>
        )}
        {draft.proof === null ? (
          !runs && <p className="dim">Exactly this text and this host were not tried here.</p>
        ) : (
          <p className="row">
            <Tag tone={draft.proof.failed === 0 ? "good" : "bad"}>
              {draft.proof.held} of {draft.proof.held + draft.proof.failed} hold
            </Tag>
            <span>
              tried <Time at={draft.proof.at} relative /> for {draft.proof.by}, release{" "}
              {draft.proof.release}
              {draft.proof.failed > 0 && `; ${plural(draft.proof.failed, "proof")} did not hold`}
            </span>
          </p>
        )}
      </div>
      {draft.proof !== null && (
        <Table stacks label="Proofs" head={["Proof", "Step", "Result", "Seen"]}>
          {[...draft.proof.lines].sort(failedFirst).map((one, at) => (
            <tr key={at}>
              <td>{one.name}</td>
              <td>{one.step}</td>
              <td>
                <Tag tone={one.passed ? "good" : "bad"}>{one.passed ? "holds" : "does not hold"}</Tag>
              </td>
              <td className="wide">{one.reason}</td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  );
}

function failedFirst(one: { passed: boolean }, other: { passed: boolean }): number {
  return Number(one.passed) - Number(other.passed);
}

function whyNot(draft: DraftDetail, text: string, dirty: boolean): string | undefined {
  if (dirty) return "Save first: what is kept is tried.";
  if (text.trim() === "") return "Write the host first.";
  const unread = draft.findings.some(
    ({ rule, level }) => level === "error" && (rule === "language" || rule === "unfinished"),
  );
  return unread ? "It has to read as a playbook first." : undefined;
}
