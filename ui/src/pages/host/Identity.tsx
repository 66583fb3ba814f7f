// Whether a host is the one that was enrolled: what its quarantine means, and the two ways out.
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useMay } from "../../api/access";
import { request } from "../../api/client";
import { host as oneHost } from "../../api/queries";
import type { Host, HostDetail } from "../../api/types";
import { Dialog } from "../../parts/Dialog";
import { Failure } from "../../parts/Loaded";
import { Card } from "../../parts/Page";
import { Tag } from "../../parts/Tag";

export type Verb = "release" | "strike-off";
type Judged = { host: HostDetail; onJudged: (verb: Verb) => void };

/** Says above everything else that no order goes there, and lets who may end it. */
export function Quarantine({ host, onJudged }: Judged) {
  const allowed = useMay("manage_users", host.environment);
  if (host.quarantined === "" || host.struck_off !== null) return null;
  return (
    <section className="notice" aria-label="Quarantine">
      <div className="stack">
        <h2>In quarantine: two hosts may use this identity</h2>
        <p>
          It is watched as before, but no order goes here, whoever approved it, until a person has
          looked.
        </p>
        <p>Reason: {host.quarantined}.</p>
        {allowed ? (
          <ul className="ways">
            <li>
              <Release host={host} onJudged={onJudged} />
              <span>It is one host: its files or its clock were put back.</span>
            </li>
            <li>
              <StrikeOff host={host} onJudged={onJudged} />
              <span>Its disk was copied or its key was stolen, or you cannot tell.</span>
            </li>
          </ul>
        ) : (
          <p>Who manages accounts in {host.environment} can release it or strike it off.</p>
        )}
      </div>
    </section>
  );
}

/** At the end of a page: nothing is wrong, and still a person may want its key refused. */
export function Leaving({ host, onJudged }: Judged) {
  const allowed = useMay("manage_users", host.environment);
  if (!allowed || host.quarantined !== "" || host.struck_off !== null) return null;
  return (
    <Card title="Strike off">
      <p className="dim">
        For a host that is gone, or whose key somebody else may have: what it sends is refused from
        then on, and what it did stays on record.
      </p>
      <StrikeOff host={host} onJudged={onJudged} />
    </Card>
  );
}

/** What this person just did, where they see it: the button may have been at the page's end. */
export function Done({ verb, host }: { verb: Verb; host: HostDetail }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => place.current?.focus(), []);
  return (
    <div ref={place} tabIndex={-1} role="status">
      {verb === "release" ? (
        <p><Tag tone="good">released</Tag> Orders go to {host.host} again.</p>
      ) : (
        <div className="notice">
          <div>
            <strong>{host.host} was struck off</strong>
            <p>
              Its key is refused from now on. What it did stays on record; enrol it again as a new
              one. <Link to="/hosts">All hosts</Link>
            </p>
          </div>
        </div>
      )}
    </div>
  );
}

function Release({ host, onJudged }: Judged) {
  return (
    <Judgement
      host={host}
      verb="release"
      button="Release"
      title={`Release ${host.host}?`}
      deed="Release it"
      onJudged={onJudged}
    >
      Orders go there again. Say so only when you have looked: if two hosts do use this identity,
      each order runs on one of them, and nobody knows on which.
    </Judgement>
  );
}

function StrikeOff({ host, onJudged }: Judged) {
  return (
    <Judgement
      host={host}
      verb="strike-off"
      button="Strike off"
      title={`Strike off ${host.host}?`}
      deed="Strike it off"
      onJudged={onJudged}
    >
      Its key is refused from the next request on, for samples, orders and new certificates. Nothing
      takes that back: to be watched again the host has to be enrolled as a new one.
    </Judgement>
  );
}

function Judgement({ host, verb, button, title, deed, onJudged, children }: Judged & {
  verb: Verb;
  button: string;
  title: string;
  deed: string;
  children: string;
}) {
  const final = verb === "strike-off";
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const queries = useQueryClient();
  const judge = useMutation({
    mutationFn: () =>
      request<Host>("POST", `/hosts/${encodeURIComponent(host.agent_id)}/${verb}`, {
        reason: reason.trim(),
      }),
    onSuccess: (now) => {
      queries.setQueryData(oneHost(host.agent_id).queryKey, (old) => old && { ...old, ...now });
      for (const key of [["host detail", host.agent_id], ["hosts"], ["freeze", "may run"]]) {
        void queries.invalidateQueries({ queryKey: key });
      }
      close();
      onJudged(verb);
    },
  });
  const close = () => {
    setOpen(false);
    setReason("");
    setTyped("");
    judge.reset();
  };
  return (
    <>
      <Button
        color={final ? "red" : "blue"}
        variant={final ? "outline" : "filled"}
        onClick={() => setOpen(true)}
      >
        {button}
      </Button>
      <Dialog open={open} onClose={close} title={title}>
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            judge.mutate();
          }}
        >
          <p>{children}</p>
          <TextInput
            label="Reason"
            description="It goes into the audit log."
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            maxLength={500}
            required
            autoFocus
          />
          {final && (
            <TextInput
              label={`Type ${host.host} to confirm`}
              autoComplete="off"
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              required
            />
          )}
          {judge.error && <Failure error={judge.error} />}
          <div className="row end">
            <Button variant="default" onClick={close}>Cancel</Button>
            <Button
              type="submit"
              color={final ? "red" : "blue"}
              loading={judge.isPending}
              disabled={reason.trim() === "" || (final && typed.trim() !== host.host)}
            >
              {deed}
            </Button>
          </div>
        </form>
      </Dialog>
    </>
  );
}
