import { Button, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { useMay } from "../../api/access";
import { request } from "../../api/client";
import type { Incident, Story } from "../../api/types";
import { Dialog } from "../../parts/Dialog";
import { Failure } from "../../parts/Loaded";
import { Card } from "../../parts/Page";
import { Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";

type Act = "acknowledge" | "assign" | "notes" | "close" | "reopen";

/** What each act asks for, and how it is said. */
const ACTS: Record<Act, { title: string; field: string; send: string; optional?: boolean }> = {
  acknowledge: { title: "Take it in hand", field: "note", send: "Acknowledge", optional: true },
  assign: { title: "Whose is it?", field: "to", send: "Assign", optional: true },
  notes: { title: "Write a note", field: "text", send: "Add the note" },
  close: { title: "Close it by hand", field: "reason", send: "Close it" },
  reopen: { title: "Go on with it as a new incident", field: "reason", send: "Reopen" },
};

const HELP: Record<Act, string> = {
  acknowledge: "Nobody is reminded of it any more. What are you about to do? (may stay empty)",
  assign: "The name of an account that may see it; empty: nobody's.",
  notes: "It goes into the story and stays as it is.",
  close: "Why: for example what you repaired. It counts as fixed by a person; no playbook is credited.",
  reopen: "Why. A playbook that ran before does not run again without a person.",
};

/** Who looks after the incident, and what people can do about it besides answering. */
export function CareBox({ story }: { story: Story }) {
  const { care, incident } = story;
  const allowed = useMay("handle_incident", incident.environment);
  const [act, setAct] = useState<Act | null>(null);
  const open = incident.status !== "CLOSED";
  const waits = ["AWAITING_APPROVAL", "VERIFYING"].includes(incident.status);
  const possible: Act[] = [
    ...(care.acknowledged_by === null && (open || care.needs_people) ? ["acknowledge" as const] : []),
    "assign",
    "notes",
    ...(waits || care.needs_people ? ["close" as const] : []),
    ...(!open && care.reopened_as === null ? ["reopen" as const] : []),
  ];
  return (
    <Card title="People" aside={<Standing story={story} />}>
      <Said story={story} />
      <Notes story={story} />
      {allowed ? (
        <div className="row">
          {possible.map((name) => (
            <Button key={name} size="xs" variant="default" onClick={() => setAct(name)}>
              {WORDS[name]}
            </Button>
          ))}
        </div>
      ) : (
        <p className="dim">Your role in {incident.environment} may look, not handle it.</p>
      )}
      {act !== null && (
        <ActDialog key={act} act={act} story={story} onClose={() => setAct(null)} />
      )}
    </Card>
  );
}

const WORDS: Record<Act, string> = {
  acknowledge: "Acknowledge",
  assign: "Assign",
  notes: "Note",
  close: "Close by hand",
  reopen: "Reopen",
};

function Standing({ story: { care } }: { story: Story }) {
  if (care.settled_by !== null) return <Tag tone="good">closed by hand</Tag>;
  if (care.acknowledged_by !== null) return <Tag tone="busy">in hand</Tag>;
  return care.needs_people ? <Tag tone="warn">needs somebody</Tag> : null;
}

function Said({ story: { care } }: { story: Story }) {
  return (
    <>
      {care.acknowledged_by !== null && care.acknowledged_at !== null && (
        <p>
          <strong>{care.acknowledged_by}</strong> has it in hand{" "}
          <Time at={care.acknowledged_at} relative />.
        </p>
      )}
      {care.assigned_to !== null && (
        <p>Assigned to <strong>{care.assigned_to}</strong> by {care.assigned_by}.</p>
      )}
      {care.settled_by !== null && (
        <p>Closed by <strong>{care.settled_by}</strong>: {care.settled_because}</p>
      )}
      {care.reopens !== null && (
        <p>
          It goes on with{" "}
          <Link to="/incidents/$id" params={{ id: care.reopens }}>{care.reopens}</Link>.
        </p>
      )}
      {care.reopened_as !== null && (
        <p>
          It goes on as{" "}
          <Link to="/incidents/$id" params={{ id: care.reopened_as }}>{care.reopened_as}</Link>.
        </p>
      )}
    </>
  );
}

function Notes({ story }: { story: Story }) {
  const notes = story.timeline.filter(({ kind }) => kind === "incident.noted");
  if (notes.length === 0) return null;
  return (
    <ul className="checks" aria-label="Notes">
      {notes.map((note) => (
        <li key={note.index}>
          <span className="dim">{note.actor} <Time at={note.at} relative /></span>
          <div className="note">{String(note.data["text"] ?? "")}</div>
        </li>
      ))}
    </ul>
  );
}

function ActDialog({ act, story, onClose }: { act: Act; story: Story; onClose: () => void }) {
  const { title, field, send, optional } = ACTS[act];
  const [said, setSaid] = useState(act === "assign" ? (story.care.assigned_to ?? "") : "");
  const queries = useQueryClient();
  const navigate = useNavigate();
  const done = useMutation({
    mutationFn: () => {
      const value = said.trim();
      return request<Incident | undefined>(
        "POST",
        `/incidents/${encodeURIComponent(story.incident.id)}/${act}`,
        { [field]: act === "assign" && value === "" ? null : value },
      );
    },
    onSuccess: (answer) => {
      onClose();
      void queries.invalidateQueries({ queryKey: ["incident"] });
      void queries.invalidateQueries({ queryKey: ["approval"] });
      if (act === "reopen" && answer !== undefined) {
        void navigate({ to: "/incidents/$id", params: { id: answer.id } });
      }
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    done.mutate();
  };
  const shared = {
    label: WORDS[act] === "Assign" ? "Person" : WORDS[act] === "Note" ? "Note" : "Reason",
    description: HELP[act],
    value: said,
    autoFocus: true,
  };
  return (
    <Dialog open onClose={onClose} title={title}>
      <form className="stack" onSubmit={submit}>
        {act === "notes" ? (
          <Textarea
            {...shared}
            autosize={false}
            rows={4}
            maxLength={1500}
            onChange={(event) => setSaid(event.currentTarget.value)}
          />
        ) : (
          <TextInput
            {...shared}
            maxLength={act === "assign" ? 200 : 500}
            onChange={(event) => setSaid(event.currentTarget.value)}
          />
        )}
        {done.error && <Failure error={done.error} />}
        <div className="row end">
          <Button variant="default" onClick={onClose}>Not now</Button>
          <Button type="submit" loading={done.isPending} disabled={!optional && said.trim() === ""}>
            {send}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
