import { Button, Textarea } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Fragment, useState } from "react";
import { useMay } from "../api/access";
import { request } from "../api/client";
import { canUse, sign } from "../api/passkeys";
import { me } from "../api/queries";
import type { Approval, ToSign } from "../api/types";
import { Failure } from "./Loaded";
import { ApprovalTag } from "./Tag";
import { Time } from "./Time";

/** One question to people, with the answer or the means to give it. */
export function ApprovalBox({ approval, linked = true, onAnswered }: {
  approval: Approval;
  linked?: boolean;
  /** Told after an answer: null, or why it did not count. */
  onAnswered?: (failure: Error | null) => void;
}) {
  const pending = approval.status === "pending";
  const [first = "", ...rest] = approval.question.split("\n");
  return (
    <section className="card stack approval" data-pending={pending} aria-label="Approval">
      <div className="card-head">
        <h2>{first}</h2>
        <ApprovalTag of={approval.status} />
      </div>
      {rest.length > 0 && <p className="note">{rest.join("\n").trim()}</p>}
      {!approval.question.includes(approval.reason) && <p>{approval.reason}</p>}
      <p className="dim">
        Playbook{" "}
        <Link to="/playbooks/$name" params={{ name: approval.playbook }}>{approval.playbook}</Link>
        {" in "}{approval.environment}
        {linked && (
          <>
            {", incident "}
            <Link to="/incidents/$id" params={{ id: approval.incident }}>{approval.incident}</Link>
          </>
        )}
        {". Asked "}<Time at={approval.opened_at} relative />
        {pending && <>, expires <Time at={approval.expires_at} relative /></>}.{" "}
        <Link to="/approvals/$id" params={{ id: approval.id }}>Its own address</Link>
      </p>
      {(approval.needed > 1 || approval.signed) && pending && (
        <p className="dim">
          {approval.needed > 1 && `${approval.needed} people have to approve. `}
          {approval.agreements.length > 0 && (
            <>Approved so far: <Agreed of={approval.agreements} />. </>
          )}
          {approval.signed && "Approving asks your passkey to sign this order."}
        </p>
      )}
      {approval.lapsed.length > 0 && (
        <ul className="note" aria-label="Counts no more">
          {approval.lapsed.map((one) => (
            <li key={one}>Counts no more: {one}</li>
          ))}
        </ul>
      )}
      {pending ? <Answer approval={approval} onAnswered={onAnswered} /> : <Answered approval={approval} />}
    </section>
  );
}

function Answered({ approval }: { approval: Approval }) {
  if (approval.decided_by === null || approval.decided_at === null) {
    return approval.note === "" ? null : <p>{approval.note}</p>;
  }
  // Whose yes released it stands among the others; who said no to what some had approved does not.
  const others = approval.agreements.filter(({ by }) => by !== approval.decided_by);
  return (
    <>
      <p>
        {approval.status} by <strong>{approval.decided_by}</strong>{" "}
        <Time at={approval.decided_at} />
        {approval.note !== "" && <>: “{approval.note}”</>}
      </p>
      {others.length > 0 && (
        <p>
          {approval.status === "approved" ? "Approved before by " : "Before that approved by "}
          <Agreed of={others} />.
        </p>
      )}
    </>
  );
}

/** Who said yes, and when. */
function Agreed({ of }: { of: Approval["agreements"] }) {
  return of.map(({ by, at, note }, index) => (
    <Fragment key={by}>
      {index > 0 && ", "}
      <strong>{by}</strong> <Time at={at} />
      {note !== "" && <>: “{note}”</>}
    </Fragment>
  ));
}

/** What hosts want for this question: a signature over exactly its order. */
async function signed(approval: Approval) {
  const path = `/approvals/${encodeURIComponent(approval.id)}/to-sign`;
  const wanted = await request<ToSign>("GET", path);
  if (wanted.credentials.length === 0 || !canUse(wanted.party)) {
    throw new Error(
      "Hosts take this yes only signed, and no passkey of yours that works here is named by " +
        "their root. Approve at the command line: sentienguard approvals approve ID, with " +
        "--ssh-key FILE or --key FILE.",
    );
  }
  return sign(wanted);
}

function Answer({ approval, onAnswered }: {
  approval: Approval;
  onAnswered: ((failure: Error | null) => void) | undefined;
}) {
  const allowed = useMay("decide_approval", approval.environment);
  const name = useQuery(me).data?.name.toLowerCase();
  const own = approval.requested_by !== null && approval.requested_by.toLowerCase() === name;
  const said = approval.agreed.some((one) => one.toLowerCase() === name);
  const [note, setNote] = useState("");
  const queries = useQueryClient();
  const answer = useMutation({
    mutationFn: async (verb: "approve" | "deny") =>
      request<Approval>("POST", `/approvals/${encodeURIComponent(approval.id)}/${verb}`, {
        note: note.trim(),
        ...(verb === "approve" && approval.signed ? { signature: await signed(approval) } : {}),
      }),
    onSettled: (_, error) => {
      onAnswered?.(error);
      for (const kind of ["approval", "incident", "overview"]) {
        void queries.invalidateQueries({ queryKey: [kind] });
      }
    },
  });

  if (!allowed) {
    return <p className="dim">Your role in {approval.environment} may look, not answer.</p>;
  }
  return (
    <div className="stack">
      {own && <p>You asked for this run. Somebody else approves it; a no of yours withdraws it.</p>}
      {said && <p>You approved. Somebody else has to as well.</p>}
      <Textarea
        label="Note"
        description="Goes into the audit log. A denial needs one."
        autosize={false}
        rows={2}
        value={note}
        maxLength={2000}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
      {answer.error && <Failure error={answer.error} />}
      <div className="row">
        {!own && !said && (
          <Button
            loading={answer.isPending && answer.variables === "approve"}
            disabled={answer.isPending}
            onClick={() => answer.mutate("approve")}
          >
            Approve
          </Button>
        )}
        <Button
          color="red"
          variant="outline"
          loading={answer.isPending && answer.variables === "deny"}
          disabled={answer.isPending || note.trim() === ""}
          title={note.trim() === "" ? "Say why in the note first" : undefined}
          onClick={() => answer.mutate("deny")}
        >
          {own ? "Withdraw" : "Deny"}
        </Button>
      </div>
    </div>
  );
}
