// Forgetting a person: it cannot be taken back, so their name has to be typed.
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useMayEverywhere } from "../../api/access";
import { request } from "../../api/client";
import { me } from "../../api/queries";
import type { PersonErased } from "../../api/types";
import { plural } from "../../format";
import { Dialog } from "../../parts/Dialog";
import { Failure } from "../../parts/Loaded";
import { Tag } from "../../parts/Tag";

/** Somebody who was forgotten a moment ago; the name is known to this page alone. */
export type Gone = PersonErased & { name: string };

/** Nobody forgets themselves, and it reaches every environment: then there is no button. */
export function Forget({ name, onForgotten }: { name: string; onForgotten: (gone: Gone) => void }) {
  const allowed = useMayEverywhere("manage_users");
  const own = useQuery(me).data?.name.toLowerCase() === name.toLowerCase();
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const queries = useQueryClient();
  const forget = useMutation({
    mutationFn: () =>
      request<PersonErased>("POST", `/users/${encodeURIComponent(name)}/erase`, {
        reason: reason.trim(),
      }),
    onSuccess: (erased) => {
      onForgotten({ ...erased, name });
      close();
      for (const key of ["users", "people", "audit", "findings"]) {
        void queries.invalidateQueries({ queryKey: [key] });
      }
    },
  });
  const close = () => {
    setOpen(false);
    setReason("");
    setTyped("");
    forget.reset();
  };
  if (!allowed || own) return null;
  return (
    <>
      <Button
        size="xs"
        color="red"
        variant="outline"
        aria-label={`Forget ${name}`}
        onClick={() => setOpen(true)}
      >
        Forget
      </Button>
      <Dialog open={open} onClose={close} title={`Forget ${name}?`}>
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            forget.mutate();
          }}
        >
          <p>
            For somebody who asks to be forgotten. Their logins end; account, second factors and
            links to chats are deleted; a pseudonym takes the place of their name, and the key that
            shows whose it was is destroyed. The audit log stays whole and every proof holds.
          </p>
          <p><strong>Nothing takes this back.</strong></p>
          <TextInput
            label="Reason"
            description="It goes into the audit log, so without their name: the number of the request."
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            maxLength={300}
            required
            autoFocus
          />
          <TextInput
            label={`Type ${name} to confirm`}
            autoComplete="off"
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            required
          />
          {forget.error && <Failure error={forget.error} />}
          <div className="row end">
            <Button variant="default" onClick={close}>Cancel</Button>
            <Button
              type="submit"
              color="red"
              loading={forget.isPending}
              disabled={reason.trim() === "" || typed.trim() !== name}
            >
              Forget them for good
            </Button>
          </div>
        </form>
      </Dialog>
    </>
  );
}

/** What was done, and what is still to be thought of. */
export function Forgotten({ of }: { of: Gone }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => place.current?.focus(), []);
  return (
    <div ref={place} tabIndex={-1} role="status">
      <div className="stack">
        <p><Tag tone="good">done</Tag> <strong>{of.name} was forgotten</strong></p>
        <p>
          The log goes on to say <code>{of.pseudonym}</code>; it took the place of the name in{" "}
          {plural(of.changed, "row")} of the database. Reload this page and the name is gone from
          here too.
        </p>
        <p className="dim">
          Not reached from here: their key in the root, where they were an approver; contents that
          hosts sent, each erased at its entry under <Link to="/audit">Audit</Link> or with{" "}
          <code>sentienguard audit erase</code>; backups, and messages in chat and mail.
        </p>
      </div>
    </div>
  );
}
