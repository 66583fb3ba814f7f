// Forgetting a person: it cannot be taken back, so their name has to be typed.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useMayEverywhere } from "../../api/access";
import { request } from "../../api/client";
import { me } from "../../api/queries";
import type { PersonErased } from "../../api/types";
import { plural } from "../../format";
import { ForGood } from "../../parts/ForGood";
import { Tag } from "../../parts/Tag";

/** Somebody who was forgotten a moment ago; the name is known to this page alone. */
export type Gone = PersonErased & { name: string };

/** Nobody forgets themselves, and it reaches every environment: then there is no button. */
export function Forget({ name, onForgotten }: { name: string; onForgotten: (gone: Gone) => void }) {
  const allowed = useMayEverywhere("manage_users");
  const own = useQuery(me).data?.name.toLowerCase() === name.toLowerCase();
  const queries = useQueryClient();
  if (!allowed || own) return null;
  return (
    <ForGood
      verb="Forget"
      what={name}
      title={`Forget ${name}?`}
      reasonHint="It goes into the audit log, so without their name: the number of the request."
      word={name}
      deed="Forget them for good"
      ask={(reason) =>
        request<PersonErased>("POST", `/users/${encodeURIComponent(name)}/erase`, { reason })}
      onDone={(erased) => {
        onForgotten({ ...erased, name });
        for (const key of ["users", "people", "audit", "findings"]) {
          void queries.invalidateQueries({ queryKey: [key] });
        }
      }}
    >
      For somebody who asks to be forgotten. Their logins end; account, second factors and links to
      chats are deleted; a pseudonym takes the place of their name, and the key that shows whose it
      was is destroyed. The audit log stays whole and every proof holds.
    </ForGood>
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
