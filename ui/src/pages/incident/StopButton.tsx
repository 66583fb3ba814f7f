import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useMay } from "../../api/access";
import { request } from "../../api/client";
import type { Story } from "../../api/types";
import { Dialog } from "../../parts/Dialog";
import { Failure } from "../../parts/Loaded";
import { Tag } from "../../parts/Tag";

/** Stops what runs now; the host then undoes what it can. */
export function StopButton({ story }: { story: Story }) {
  const { incident, order } = story;
  const allowed = useMay("stop_execution", incident.environment);
  const [open, setOpen] = useState(false);
  const [note, setNote] = useState("");
  const queries = useQueryClient();
  const stop = useMutation({
    mutationFn: () =>
      request<void>("POST", `/incidents/${encodeURIComponent(incident.id)}/stop`, {
        note: note.trim(),
      }),
    onSuccess: () => {
      setOpen(false);
      void queries.invalidateQueries({ queryKey: ["incident"] });
    },
  });

  if (incident.status !== "MITIGATING") return null;
  if (order?.stop_requested_by) {
    return <Tag tone="warn">stop asked for by {order.stop_requested_by}</Tag>;
  }
  if (stop.isSuccess) return <Tag tone="warn">stop asked for</Tag>;
  return (
    <>
      <Button
        color="red"
        disabled={!allowed}
        title={allowed ? undefined : `Your role in ${incident.environment} may not stop it`}
        onClick={() => setOpen(true)}
      >
        Stop
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title="Stop this remediation?">
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            stop.mutate();
          }}
        >
          <p>
            {incident.host} kills the running step, undoes what can be undone and names the rest.
          </p>
          <TextInput
            label="Note"
            value={note}
            maxLength={2000}
            autoFocus
            onChange={(event) => setNote(event.currentTarget.value)}
          />
          {stop.error && <Failure error={stop.error} />}
          <div className="row end">
            <Button variant="default" onClick={() => setOpen(false)}>Let it run</Button>
            <Button type="submit" color="red" loading={stop.isPending}>Stop it</Button>
          </div>
        </form>
      </Dialog>
    </>
  );
}
