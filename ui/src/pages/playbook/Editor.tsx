// Write the next version of a playbook: text and findings, proof, difference, signatures, in force.
//
// A draft is text that nothing runs. It becomes a version where signers sign it, offline.
import { Button, NativeSelect } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useCallback, useEffect, useRef, useState } from "react";
import { useMayEverywhere } from "../../api/access";
import { request } from "../../api/client";
import { playbookDraft, playbookDrafts, playbookVersions } from "../../api/queries";
import type { Draft, DraftDetail, DraftTaken } from "../../api/types";
import { plural } from "../../format";
import { Dialog } from "../../parts/Dialog";
import { Empty, Failure, Loaded } from "../../parts/Loaded";
import { Card, Page, Table } from "../../parts/Page";
import { Tag, type Tone } from "../../parts/Tag";
import { Time } from "../../parts/Time";
import { Diff } from "./Diff";
import "./editor.css";
import { Findings } from "./Findings";
import { Proof } from "./Proof";
import { HandBack, SignThere } from "./Signing";
import { goTo, TextEditor } from "./TextEditor";

const route = getRouteApi("/inside/playbooks/$name/edit");

export default function Editor() {
  const { name } = route.useParams();
  const may = useMayEverywhere("edit_playbooks");
  return (
    <Page
      title={`Edit ${name}`}
      actions={<Link to="/playbooks/$name" params={{ name }}>Back to the playbook</Link>}
    >
      {may ? (
        <Drafts name={name} />
      ) : (
        <Empty title="Administrators edit playbooks">
          Your role shows them. Who administers every environment may write the next version.
        </Empty>
      )}
    </Page>
  );
}

function Drafts({ name }: { name: string }) {
  const { draft } = route.useSearch();
  const navigate = route.useNavigate();
  const choose = (id: string) => void navigate({ search: { draft: id }, replace: true });
  return (
    <Loaded query={useQuery(playbookDrafts)}>
      {({ items }) => {
        const own = items.filter((one) => one.name === name);
        const open = own.filter(({ state }) => state === "open");
        const shown = own.find(({ id }) => id === draft) ?? open[0];
        return (
          <>
            {open.length > 1 && (
              <NativeSelect
                label="Draft"
                value={shown?.id ?? ""}
                data={open.map((one) => ({
                  value: one.id,
                  label: `${one.version || "no version"} by ${one.by}, revision ${one.revision}`,
                }))}
                onChange={(event) => choose(event.currentTarget.value)}
              />
            )}
            {shown === undefined ? (
              <Begin name={name} onBegun={choose} />
            ) : (
              <OneDraft key={shown.id} id={shown.id} onBegun={choose} />
            )}
            <Ended rows={own.filter(({ state }) => state !== "open")} />
          </>
        );
      }}
    </Loaded>
  );
}

function OneDraft({ id, onBegun }: { id: string; onBegun: (id: string) => void }) {
  return (
    <Loaded query={useQuery(playbookDraft(id))}>
      {(found) => <Desk draft={found} onBegun={onBegun} />}
    </Loaded>
  );
}

function Begin({ name, onBegun }: { name: string; onBegun: (id: string) => void }) {
  const queries = useQueryClient();
  const listed = useQuery({ ...playbookVersions(name), retry: false });
  const current = listed.data?.items.find(({ in_force }) => in_force) ?? listed.data?.items[0];
  const begin = useMutation({
    mutationFn: (digest: string) =>
      request<DraftDetail>("POST", "/playbook-drafts", { name, digest }),
    onSuccess: async (made) => {
      queries.setQueryData(playbookDraft(made.id).queryKey, made);
      await queries.invalidateQueries({ queryKey: playbookDrafts.queryKey });
      onBegun(made.id);
    },
  });
  if (listed.isPending) return <p role="status" className="dim">Looking for its versions</p>;
  return (
    <Card title="Begin a draft">
      <p>
        {current === undefined
          ? `The catalogue lists no ${name}. A draft of it begins with what every playbook needs.`
          : `The draft begins with the text of ${current.version}. What is signed stays as it is.`}{" "}
        Nothing runs a draft.
      </p>
      <div className="row">
        <Button loading={begin.isPending} onClick={() => begin.mutate(current?.digest ?? "")}>
          {current === undefined ? "Begin from nothing" : `Begin from ${current.version}`}
        </Button>
      </div>
      {begin.error && <Failure error={begin.error} />}
    </Card>
  );
}

type Kept = { yaml: string; case: string; revision: number };

function Desk({ draft, onBegun }: { draft: DraftDetail; onBegun: (id: string) => void }) {
  const queries = useQueryClient();
  const box = useRef<HTMLTextAreaElement>(null);
  const [kept, setKept] = useState<Kept>(draft);
  const [text, setText] = useState(draft.yaml);
  const [host, setHost] = useState(draft.case);
  const [taken, setTaken] = useState<DraftTaken>();
  const open = draft.state === "open";
  const dirty = open && (text !== kept.yaml || host !== kept.case);
  const theirs = open && draft.revision > kept.revision;
  const saving = useMutation({
    mutationFn: () =>
      request<DraftDetail>("PUT", `/playbook-drafts/${draft.id}`, {
        yaml: text, case: host, revision: kept.revision,
      }),
    onSuccess: async (found) => {
      setKept(found);
      queries.setQueryData(playbookDraft(draft.id).queryKey, found);
      await queries.invalidateQueries({ queryKey: playbookDrafts.queryKey });
    },
    onError: () => queries.invalidateQueries({ queryKey: playbookDraft(draft.id).queryKey }),
  });
  const save = useCallback(() => {
    if (dirty && !saving.isPending) saving.mutate();
  }, [dirty, saving]);
  useKeepSafe(dirty, save);
  const load = () => {
    setKept(draft);
    setText(draft.yaml);
    setHost(draft.case);
  };
  const against = open ? (draft.current ?? draft.began_from) : draft.began_from;
  return (
    <>
      <Where draft={draft} dirty={dirty} />
      {taken !== undefined && <Taken of={taken} before={draft.began_from?.digest} />}
      {theirs && !saving.isPending && (
        <div className="notice" data-tone="bad" role="alert">
          <div>
            <strong>{draft.changed_by} changed this draft meanwhile</strong>
            <p>It is at revision {draft.revision}; what you see began with {kept.revision}.</p>
          </div>
          <Button size="xs" variant="default" onClick={load}>Show theirs, drop mine</Button>
        </div>
      )}
      <Card
        title="Text"
        aside={<span className="dim">revision {kept.revision}{dirty && ", changed since"}</span>}
      >
        <div className="editor-sides">
          <TextEditor
            label="playbook.yaml"
            value={text}
            onChange={setText}
            findings={dirty ? [] : draft.findings}
            readOnly={!open}
            box={box}
          />
          <div className="stack">
            {dirty && <p className="dim">Save to have this text read; below is what was kept.</p>}
            <Findings
              of={draft.findings}
              count={draft.errors + draft.warnings}
              onLine={(line) => goTo(box.current, line)}
            />
          </div>
        </div>
        {open && (
          <div className="row">
            <Button disabled={!dirty} loading={saving.isPending} onClick={save}>Save</Button>
            <span className="dim">or Ctrl+S. Tab leaves the text; playbooks have no tabs.</span>
          </div>
        )}
        {saving.error && <Failure error={saving.error} />}
      </Card>
      <Card
        title="What changes"
        aside={against && <span className="dim">from {against.version}, as signed</span>}
      >
        {against === null ? (
          <Empty title="All of it is new">The catalogue lists no version of it.</Empty>
        ) : (
          <Diff from={against.yaml} to={text} />
        )}
      </Card>
      <Proof draft={draft} text={host} onText={setHost} dirty={dirty} open={open} />
      {open && <SignThere draft={draft} dirty={dirty} />}
      {open && <HandBack draft={draft} onTaken={setTaken} />}
      {open ? <Drop draft={draft} /> : <Begin name={draft.name} onBegun={onBegun} />}
    </>
  );
}

/** Ctrl+S saves, and the browser asks before a page with unsaved text is left. */
function useKeepSafe(dirty: boolean, save: () => void) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s") return;
      event.preventDefault();
      save();
    };
    const onLeave = (event: BeforeUnloadEvent) => event.preventDefault();
    document.addEventListener("keydown", onKey);
    if (dirty) window.addEventListener("beforeunload", onLeave);
    return () => {
      document.removeEventListener("keydown", onKey);
      window.removeEventListener("beforeunload", onLeave);
    };
  }, [dirty, save]);
}

/** One line that says how far it is. */
function Where({ draft, dirty }: { draft: DraftDetail; dirty: boolean }) {
  const proven = draft.proof !== null && draft.proof.failed === 0;
  const steps: [string, Tone, string][] = [
    ["Kept", dirty ? "warn" : "good", dirty ? "not saved" : `revision ${draft.revision}`],
    [
      "Reads",
      draft.signable ? "good" : "bad",
      draft.signable ? "no errors" : plural(draft.errors, "error"),
    ],
    [
      "Proven",
      proven ? "good" : draft.proof === null ? "quiet" : "bad",
      proven ? "on a pretended host" : draft.proof === null ? "not yet" : "does not hold",
    ],
    [
      "Signed",
      draft.state === "taken_over" ? "good" : "quiet",
      draft.state === "taken_over" ? "taken over" : "not yet",
    ],
  ];
  return (
    <div className="card stack" role="status" aria-label="How far it is">
      <p><strong>{headline(draft, dirty, proven)}</strong></p>
      <ul className="draft-way">
        {steps.map(([what, tone, how]) => (
          <li key={what}><span>{what}</span><Tag tone={tone}>{how}</Tag></li>
        ))}
      </ul>
    </div>
  );
}

function headline(draft: DraftDetail, dirty: boolean, proven: boolean): string {
  const what = `${draft.name} ${draft.version || "without a version"}`;
  if (draft.state === "taken_over") return `${what} was signed and taken over.`;
  if (draft.state === "dropped") return `The draft of ${what} was dropped by ${draft.ended_by}.`;
  if (dirty) return `Draft of ${what}: save it to go on.`;
  if (!draft.signable) {
    return `Draft of ${what}: ${plural(draft.errors, "error")} to mend before anybody can sign it.`;
  }
  return proven
    ? `Draft of ${what}: ready for the signers.`
    : `Draft of ${what}: it can be signed; nothing shows yet that it heals.`;
}

function Taken({ of, before }: { of: DraftTaken; before: string | undefined }) {
  const { name, version, digest } = of.draft;
  return (
    <div className="card stack" role="status" aria-label="Taken over">
      <p>
        <Tag tone="good">taken over</Tag> Catalogue {of.catalogue}, signed by{" "}
        {of.signed_by.map((one) => <code key={one}>{one}</code>)}.{" "}
        {of.in_force
          ? "It counts from now on; hosts get it when they next ask."
          : `It comes with root ${of.root} and counts from the next start of the control plane.`}
      </p>
      {of.added.length > 0 && <p>New: {of.added.join(", ")}.</p>}
      {of.revoked.length > 0 && <p>Taken back: {of.revoked.join(", ")}.</p>}
      {of.holds_draft ? (
        <p>
          <Link
            to="/playbooks/$name"
            params={{ name }}
            search={before === undefined ? {} : { from: before, to: digest }}
          >
            Show {name} {version} and what changed
          </Link>
        </p>
      ) : (
        <p><strong>The file lists other bytes than this draft, which stays open.</strong></p>
      )}
      {of.others && (
        <p>Other control planes share this database: import the same file on each of them.</p>
      )}
    </div>
  );
}

function Drop({ draft }: { draft: DraftDetail }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const drop = useMutation({
    mutationFn: () => request("DELETE", `/playbook-drafts/${draft.id}`),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["playbook"] }),
  });
  return (
    <div className="row end">
      <Button variant="default" onClick={() => setAsking(true)}>Drop this draft</Button>
      <Dialog open={asking} onClose={() => setAsking(false)} title="Drop this draft?">
        <p>Nothing that is signed changes. The draft cannot be opened again.</p>
        {drop.error && <Failure error={drop.error} />}
        <div className="row end">
          <Button variant="default" onClick={() => setAsking(false)}>Keep it</Button>
          <Button color="red" loading={drop.isPending} onClick={() => drop.mutate()}>Drop it</Button>
        </div>
      </Dialog>
    </div>
  );
}

function Ended({ rows }: { rows: Draft[] }) {
  if (rows.length === 0) return null;
  return (
    <Card title="Earlier drafts">
      <Table stacks label="Drafts that ended" head={["Version", "End", "By", "When"]}>
        {rows.map((one) => (
          <tr key={one.id}>
            <td>
              <Link to="/playbooks/$name/edit" params={{ name: one.name }} search={{ draft: one.id }}>
                {one.version || "no version"}
              </Link>
            </td>
            <td>
              <Tag tone={one.state === "taken_over" ? "good" : "quiet"}>
                {one.state === "taken_over" ? "taken over" : "dropped"}
              </Tag>
            </td>
            <td>{one.ended_by}</td>
            <td>{one.ended_at !== null && <Time at={one.ended_at} relative />}</td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}
