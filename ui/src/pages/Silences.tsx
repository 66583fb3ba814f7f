// Silences and maintenance: what is set aside now, what comes, and how to make or end one.
import { Button } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { useMay } from "../api/access";
import { request } from "../api/client";
import { windows, type WindowKind } from "../api/queries";
import type { Window } from "../api/types";
import { useAnchor } from "../parts/anchor";
import { Dialog } from "../parts/Dialog";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Page, Table } from "../parts/Page";
import { WindowTag } from "../parts/Tag";
import { Time } from "../parts/Time";
import { Builder } from "./silences/Builder";
import { recurrenceWords, written } from "./silences/draft";

const route = getRouteApi("/inside/silences");
const KINDS: { kind: WindowKind; label: string }[] = [
  { kind: "silences", label: "Silences" },
  { kind: "maintenance", label: "Maintenance" },
];

export default function Silences() {
  const search = route.useSearch();
  const kind: WindowKind = search.kind === "maintenance" ? "maintenance" : "silences";
  const ended = search.ended === "yes";
  const [making, setMaking] = useState(search.host !== undefined);
  const allowed = useMay("silence");
  const query = useQuery(windows(kind, ended));
  return (
    <Page
      title="Silences and maintenance"
      actions={
        !making && (
          <Button
            disabled={!allowed}
            title={allowed ? undefined : "Your role may look, not silence"}
            onClick={() => setMaking(true)}
          >
            {kind === "silences" ? "New silence" : "New maintenance"}
          </Button>
        )
      }
    >
      <nav className="row tabs" aria-label="Which kind">
        {KINDS.map((one) => (
          <Link
            key={one.kind}
            to="/silences"
            search={one.kind === "silences" ? {} : { kind: one.kind }}
            activeOptions={{ exact: true }}
            aria-current={one.kind === kind ? "page" : undefined}
          >
            {one.label}
          </Link>
        ))}
        <Link
          to="/silences"
          search={{ ...(kind === "silences" ? {} : { kind }), ...(ended ? {} : { ended: "yes" }) }}
          aria-current={ended ? "true" : undefined}
        >
          ended ones too
        </Link>
      </nav>
      {making && (
        <Builder
          key={kind}
          kind={kind}
          host={search.host ?? ""}
          onMade={() => setMaking(false)}
        />
      )}
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={kind === "silences" ? "Nothing is silenced" : "No maintenance is planned"}>
              {kind === "silences"
                ? "A silence keeps known symptoms from opening incidents, once or every week."
                : "In maintenance no remedy starts on the hosts that it covers, so that people can work there."}
            </Empty>
          ) : (
            <WindowTable kind={kind} rows={items} allowed={allowed} />
          )
        }
      </Loaded>
    </Page>
  );
}

function WindowTable({ kind, rows, allowed }: {
  kind: WindowKind;
  rows: Window[];
  allowed: boolean;
}) {
  const label = kind === "silences" ? "Silences" : "Maintenance";
  const chosen = useAnchor();
  return (
    <Table stacks label={label} head={["State", "Covers", "When", "Why", ""]}>
      {rows.map((one) => (
        <tr key={one.id} id={one.id} data-chosen={one.id === chosen}>
          <td><WindowTag of={one.state} /></td>
          <td className="wide"><code>{written(one.matchers)}</code></td>
          <td><When of={one} /></td>
          <td>
            {one.reason}
            <div className="dim">
              {one.by}, <Link
                to="/silences"
                search={(old) => ({ ...old, ended: "yes" })} // so that it is found when it has ended
                hash={one.id}
              >
                its own address
              </Link>
            </div>
          </td>
          <td>{one.state !== "ended" && allowed && <EndButton kind={kind} of={one} />}</td>
        </tr>
      ))}
    </Table>
  );
}

function When({ of }: { of: Window }) {
  return (
    <>
      {of.state === "active" && of.next_ends_at !== null && (
        <>until <Time at={of.next_ends_at} /></>
      )}
      {of.state === "waiting" && of.next_starts_at !== null && (
        <>next <Time at={of.next_starts_at} /></>
      )}
      {of.state === "ended" && <>ended <Time at={of.ends_at} /></>}
      {of.recurrence !== null && (
        <div className="dim">
          {recurrenceWords(of.recurrence)}, until <Time at={of.ends_at} />
        </div>
      )}
    </>
  );
}

function EndButton({ kind, of }: { kind: WindowKind; of: Window }) {
  const [open, setOpen] = useState(false);
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: () => request<Window>("DELETE", `/${kind}/${encodeURIComponent(of.id)}`),
    onSuccess: () => {
      setOpen(false);
      void queries.invalidateQueries({ queryKey: ["freeze"] });
    },
  });
  const silence = kind === "silences";
  return (
    <>
      <Button size="xs" variant="default" onClick={() => setOpen(true)}>
        {silence ? "Expire" : "End"}
      </Button>
      <Dialog
        open={open}
        onClose={() => setOpen(false)}
        title={silence ? "End this silence now?" : "End this maintenance now?"}
      >
        <p><code>{written(of.matchers)}</code></p>
        <p>
          {silence
            ? "What it covers and still stands opens its incident with the next sample."
            : "Remedies may start on its hosts again."}
        </p>
        {end.error && <Failure error={end.error} />}
        <div className="row end">
          <Button variant="default" onClick={() => setOpen(false)}>Let it stand</Button>
          <Button loading={end.isPending} onClick={() => end.mutate()}>End it now</Button>
        </div>
      </Dialog>
    </>
  );
}
