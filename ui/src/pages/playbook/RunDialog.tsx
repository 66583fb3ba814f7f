// Ask for this playbook on one host: an incident is opened, and the usual rules hold.
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useMay } from "../../api/access";
import { request } from "../../api/client";
import { hosts } from "../../api/queries";
import type { Incident, Playbook } from "../../api/types";
import { Dialog } from "../../parts/Dialog";
import { Failure } from "../../parts/Loaded";

export function RunButton({ playbook }: { playbook: Playbook }) {
  const may = useMay("run_playbook");
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button
        disabled={!may}
        title={may ? undefined : "Your role does not include running playbooks"}
        onClick={() => setOpen(true)}
      >
        Try or run it
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title={`${playbook.name} on a host`}>
        <Ask playbook={playbook} onClose={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

function Ask({ playbook, onClose }: { playbook: Playbook; onClose: () => void }) {
  const known = useQuery(hosts).data?.items ?? [];
  const navigate = useNavigate();
  const [host, setHost] = useState("");
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
      <TextInput
        label="Host"
        required
        list="known-hosts"
        autoComplete="off"
        value={host}
        onChange={(event) => setHost(event.currentTarget.value)}
      />
      <datalist id="known-hosts">
        {known.slice(0, 500).map((one) => <option key={one.agent_id} value={one.host} />)}
      </datalist>
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
