// Ask for this playbook on one host: an incident is opened, and the usual rules hold.
import { Button, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useMay } from "../../api/access";
import { request } from "../../api/client";
import { hostNames, type playbook as onePlaybook } from "../../api/queries";
import type { Incident, Playbook } from "../../api/types";
import { Dialog } from "../../parts/Dialog";
import { TYPING_MS } from "../../parts/Filters";
import { Failure, Loaded } from "../../parts/Loaded";

type Known = ReturnType<typeof onePlaybook>;

type Place = { host: string; agent: string; environment: string };

/** For a playbook that is at hand, or for one host and a playbook that is read when it is wanted. */
export function RunButton(props: { playbook: Playbook } | { of: string; on: Place; known: Known }) {
  const on = "on" in props ? props.on : undefined;
  const may = useMay("run_playbook", on?.environment);
  const [open, setOpen] = useState(false);
  const name = "playbook" in props ? props.playbook.name : props.of;
  const close = () => setOpen(false);
  return (
    <>
      <Button
        {...(on ? { size: "xs", variant: "default", "aria-label": `Dry run of ${name}` } : {})}
        disabled={!may}
        title={may ? undefined : "Your role does not include running playbooks"}
        onClick={() => setOpen(true)}
      >
        {on ? "Dry run" : "Try or run it"}
      </Button>
      <Dialog open={open} onClose={close} title={`${name} on ${on?.host ?? "a host"}`}>
        {"playbook" in props ? (
          <Ask playbook={props.playbook} onClose={close} />
        ) : (
          open && <Read known={props.known} on={props.on} onClose={close} />
        )}
      </Dialog>
    </>
  );
}

function Read({ known, on, onClose }: { known: Known; on: Place; onClose: () => void }) {
  return (
    <Loaded query={useQuery(known)}>
      {(playbook) => <Ask playbook={playbook} on={on} onClose={onClose} />}
    </Loaded>
  );
}

function Ask({ playbook, on, onClose }: {
  playbook: Playbook;
  on?: Place;
  onClose: () => void;
}) {
  const navigate = useNavigate();
  const [host, setHost] = useState(on?.agent ?? "");
  const [typed] = useDebouncedValue(host, TYPING_MS);
  const known = useQuery({ ...hostNames(typed), enabled: on === undefined }).data?.items ?? [];
  const [dry, setDry] = useState(true);
  const [note, setNote] = useState("");
  const [values, setValues] = useState<Record<string, string>>({});
  const ask = useMutation({
    mutationFn: () =>
      request<Incident>("POST", `/playbooks/${encodeURIComponent(playbook.name)}/runs`, {
        host,
        dry_run: dry,
        note,
        parameters: Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "")),
      }),
    onSuccess: ({ id }) => navigate({ to: "/incidents/$id", params: { id } }),
  });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        ask.mutate();
      }}
    >
      {on === undefined && (
        <>
          <TextInput
            label="Host"
            required
            list="known-hosts"
            autoComplete="off"
            value={host}
            onChange={(event) => setHost(event.currentTarget.value)}
          />
          <datalist id="known-hosts">
            {known.map((one) => <option key={one.agent_id} value={one.host} />)}
          </datalist>
        </>
      )}
      {playbook.parameters.map((parameter) => (
        <TextInput
          key={parameter.name}
          label={parameter.name}
          description={`${parameter.description} (${parameter.type})`}
          required={parameter.default === null}
          placeholder={parameter.default ?? ""}
          value={values[parameter.name] ?? ""}
          onChange={(event) => {
            const value = event.currentTarget.value;
            setValues((old) => ({ ...old, [parameter.name]: value }));
          }}
        />
      ))}
      <label className="day">
        <input type="checkbox" checked={dry} onChange={(event) => setDry(event.target.checked)} />
        Dry run: show what it would do, and nothing else
      </label>
      <TextInput
        label="Why"
        maxLength={300}
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
      <p className="dim">
        An incident is opened. Policy, budgets, freeze and the host's own checks hold as ever, and
        somebody else than you has to approve.
      </p>
      {ask.error && <Failure error={ask.error} />}
      <div className="row end">
        <Button variant="default" onClick={onClose}>Cancel</Button>
        <Button type="submit" loading={ask.isPending} disabled={host.trim() === ""}>
          {dry ? "Ask for a dry run" : "Ask for a run"}
        </Button>
      </div>
    </form>
  );
}
