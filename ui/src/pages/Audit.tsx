import { Button } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Fragment, useEffect, useRef } from "react";
import { request } from "../api/client";
import { useLong } from "../api/lists";
import { AUDIT_MS, checkpoint, entries, exposure, type EntryFilter } from "../api/queries";
import type { AuditEntry, Checkpoint, Exposure, Verification } from "../api/types";
import { duration, number, plural } from "../format";
import { agentOn, By } from "../parts/By";
import { Data } from "../parts/Data";
import { narrowed, Span, Typed } from "../parts/Filters";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Card, Facts, Page, Table } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { Time } from "../parts/Time";

const route = getRouteApi("/inside/audit");

export default function Audit() {
  const held = useQuery(exposure);
  return (
    <Page title="Audit">
      <Loaded query={useQuery(checkpoint)}>
        {(data) => <CheckpointCard of={data} witnesses={held.data?.witnesses ?? []} />}
      </Loaded>
      <Loaded query={held}>{(data) => <ExposureCard of={data} />}</Loaded>
      <Verify />
      <Entries />
    </Page>
  );
}

function CheckpointCard({ of, witnesses }: {
  of: Checkpoint;
  witnesses: Exposure["witnesses"];
}) {
  return (
    <Card title="Newest checkpoint">
      <Facts
        of={[
          ["Entries covered", number(of.size)],
          ["Signed", of.signed_at === null ? "never" : <Time key="signed" at={of.signed_at} />],
          [
            "Cosigned by",
            of.cosigned_by.length === 0 ? (
              <Tag key="none" tone="warn">no witness yet</Tag>
            ) : (
              <Cosigners key="some" of={of.cosigned_by} witnesses={witnesses} />
            ),
          ],
          [
            "Exposure",
            of.exposure_s === null ? (
              <Tag key="exposure" tone="warn">unlimited: no witness holds a checkpoint</Tag>
            ) : (
              <span key="exposure" title="Age of the newest checkpoint that a witness holds">
                {duration(of.exposure_s)}: only what is younger could be rewritten unseen
              </span>
            ),
          ],
          ["Origin", of.origin],
          ["Root", <code key="root">{of.root}</code>],
        ]}
      />
      <details>
        <summary>The signed note</summary>
        <pre className="output" tabIndex={0}>{of.note}</pre>
      </details>
    </Card>
  );
}

function Cosigners({ of, witnesses }: { of: string[]; witnesses: Exposure["witnesses"] }) {
  return of.map((name, at) => {
    const host = witnesses.find((one) => one.name === name)?.host ?? "";
    return (
      <Fragment key={name}>
        {at > 0 && ", "}
        <span title={name}>{host === "" ? name : agentOn(host)}</span>
      </Fragment>
    );
  });
}

function ExposureCard({ of }: { of: Exposure }) {
  return (
    <Card title="What others hold of the log">
      <Facts
        of={[
          ["Policy", of.policy],
          [
            "Not yet held",
            of.exposed === 0 ? (
              <Tag key="none" tone="good">nothing</Tag>
            ) : (
              <Tag key="some" tone="warn">{plural(of.exposed, "entry", "entries")}</Tag>
            ),
          ],
          ["Lacking", of.lacking === "" ? "nobody" : of.lacking],
        ]}
      />
      <ul className="checks">
        {of.witnesses.map((one) => (
          <li key={`${one.sort}/${one.name}`}>
            <Tag tone={one.problem === "" ? "good" : "bad"}>{one.sort}</Tag>{" "}
            <strong title={one.name}>{one.host === "" ? one.name : one.host}</strong>{" "}
            {plural(one.size, "entry", "entries")}{" "}
            {one.at !== null && <Time at={one.at} />}{" "}
            <span className="dim">{one.problem}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Verify() {
  const verify = useMutation({ mutationFn: () => request<Verification>("POST", "/audit/verify") });
  return (
    <Card
      title="Verification of the whole log"
      aside={
        <Button size="xs" loading={verify.isPending} onClick={() => verify.mutate()}>
          Verify now
        </Button>
      }
    >
      {verify.error && <Failure error={verify.error} />}
      {verify.data ? (
        <div className="stack" role="status">
          <p>
            <Tag tone={verify.data.passed ? "good" : "bad"}>
              {verify.data.passed ? "passed" : "failed"}
            </Tag>{" "}
            {plural(verify.data.entries, "entry", "entries")} in {duration(verify.data.seconds)}
          </p>
          <ul className="checks">
            {verify.data.findings.map((finding) => (
              <li key={finding.check}>
                <Tag tone={finding.passed ? "good" : "bad"}>{finding.passed ? "ok" : "failed"}</Tag>{" "}
                <strong>{finding.check}</strong> <span className="dim">{finding.detail}</span>
              </li>
            ))}
          </ul>
        </div>
      ) : (
        <p className="dim">
          The server checks itself here. <code>sentienguard audit verify</code> checks the same
          elsewhere, and each entry's proof is checked in your browser.
        </p>
      )}
    </Card>
  );
}

function Entries() {
  const filter = route.useSearch();
  const query = useLong(entries(filter), AUDIT_MS);
  const { incident } = filter;
  return (
    <Card
      id="entries"
      title={incident === undefined ? "Entries" : `Entries of ${incident}`}
      aside={Object.keys(filter).length > 0 && <Link to="/audit">All entries</Link>}
    >
      <Filter filter={filter} />
      <Loaded query={query}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.items);
          return (
            <>
              {filter.entry !== undefined && rows[0]?.index !== Number(filter.entry) && (
                <p className="dim" role="status">
                  There is no entry {filter.entry} that fits and that you may see; what came before
                  it is below.
                </p>
              )}
              {rows.length > 0 ? (
                <EntryTable rows={rows} chosen={filter.entry} />
              ) : query.hasNextPage ? (
                <Empty title="Nothing among the newest entries">
                  The log goes on: look further back, or name a time.
                </Empty>
              ) : Object.keys(filter).length > 0 ? (
                <Empty title="No entry matches">Take a filter away to see more.</Empty>
              ) : (
                <Empty title="No entry">The log starts with its first incident.</Empty>
              )}
              {query.hasNextPage && (
                <Button
                  variant="default"
                  loading={query.isFetchingNextPage}
                  onClick={() => void query.fetchNextPage()}
                >
                  Show older
                </Button>
              )}
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}

function Filter({ filter }: { filter: EntryFilter }) {
  const navigate = route.useNavigate();
  const set = (change: EntryFilter) =>
    void navigate({ search: (old) => narrowed({ ...old, ...change }), replace: true });
  return (
    <div role="search" className="row filters">
      <Typed
        label="Kind"
        placeholder="order, approval.decided"
        value={filter.kind}
        set={(kind) => set({ kind })}
      />
      <Typed label="By" placeholder="person or host" value={filter.actor} set={(actor) => set({ actor })} />
      <Typed
        label="From entry"
        type="number"
        placeholder="number"
        value={filter.entry}
        set={(entry) => set({ entry })}
      />
      <Span what="Written" since={filter.since} until={filter.until} set={set} />
    </div>
  );
}

function EntryTable({ rows, chosen }: { rows: AuditEntry[]; chosen: string | undefined }) {
  const row = useRef<HTMLTableRowElement>(null);
  const there = rows.some(({ index }) => String(index) === chosen);
  useEffect(() => {
    if (there) row.current?.scrollIntoView({ block: "center" });
  }, [there, chosen]);
  return (
    <Table stacks label="Audit entries" head={["Entry", "When", "What", "By", "Incident", "Data"]}>
      {rows.map((entry) => (
        <tr
          key={entry.index}
          {...(String(entry.index) === chosen ? { ref: row, "data-chosen": true } : {})}
        >
          <td className="number">
            <Link to="/audit/proof/$index" params={{ index: String(entry.index) }}>
              #{entry.index} proof
            </Link>
          </td>
          <td><Time at={entry.at} /></td>
          <td>{entry.kind}</td>
          <td><By actor={entry.actor} source={entry.source} host={entry.host} /></td>
          <td>
            {entry.incident !== "" && (
              <Link to="/incidents/$id" params={{ id: entry.incident }}>{entry.incident}</Link>
            )}
          </td>
          <td><Data of={entry.data} /></td>
        </tr>
      ))}
    </Table>
  );
}
