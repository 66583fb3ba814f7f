import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useMay } from "../api/access";
import { request } from "../api/client";
import { freeze } from "../api/queries";
import type { Freeze } from "../api/types";
import { Dialog } from "./Dialog";
import { Failure } from "./Loaded";
import { Time } from "./Time";

/** Stops all remediation. Always in the header. */
export function KillSwitch() {
  const now = useQuery(freeze).data;
  const frozen = now?.frozen ?? false;
  const allowed = useMay("freeze");
  // What the dialog was opened for: who is about to freeze never unfreezes what others froze.
  const [wanted, setWanted] = useState<"freeze" | "unfreeze">();
  const thaws = wanted === "unfreeze";
  const [reason, setReason] = useState("");
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: () =>
      thaws
        ? request<Freeze>("DELETE", "/freeze")
        : request<Freeze>("PUT", "/freeze", { reason: reason.trim() }),
    onSuccess: (standing) => {
      queries.setQueryData(freeze.queryKey, standing);
      void queries.invalidateQueries({ queryKey: ["overview"] });
      close();
      setReason("");
    },
  });
  const close = () => {
    setWanted(undefined);
    change.reset();
  };

  return (
    <>
      <Button
        size="xs"
        color="red"
        variant={frozen ? "filled" : "outline"}
        disabled={!allowed}
        title={allowed ? "Stop all remediation, or allow it again" : "Your role may not freeze"}
        onClick={() => setWanted(frozen ? "unfreeze" : "freeze")}
      >
        {frozen ? "Unfreeze" : "Freeze"}
      </Button>
      <Dialog
        open={wanted !== undefined}
        onClose={close}
        title={thaws ? "Allow remediation again?" : "Freeze all remediation?"}
      >
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            change.mutate();
          }}
        >
          <p>
            {thaws
              ? "Playbooks may run again where the policy allows it."
              : "Nothing is executed on any host until somebody unfreezes. Watching, detecting and " +
                "auditing go on."}
          </p>
          {!thaws && frozen && (
            <p role="status">
              Meanwhile {now?.by ?? "somebody"} froze it. Freezing again puts your reason there.
            </p>
          )}
          {!thaws && (
            <TextInput
              label="Reason"
              description="Everybody sees it, and it goes into the audit log."
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
              maxLength={500}
              required
              autoFocus
            />
          )}
          {change.error && <Failure error={change.error} />}
          <div className="row end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button
              type="submit"
              color={thaws ? "blue" : "red"}
              loading={change.isPending}
              disabled={!thaws && reason.trim() === ""}
            >
              {thaws ? "Unfreeze" : "Freeze everything"}
            </Button>
          </div>
        </form>
      </Dialog>
    </>
  );
}

export function FrozenBanner() {
  const { data } = useQuery(freeze);
  if (!data?.frozen) return null;
  return (
    <div className="banner" data-tone="bad" role="status">
      <strong>Frozen: nothing is executed on any host.</strong>{" "}
      {data.reason && <>“{data.reason}”</>} {data.by && <>by {data.by}</>}{" "}
      {data.at && <Time at={data.at} />}
    </div>
  );
}
