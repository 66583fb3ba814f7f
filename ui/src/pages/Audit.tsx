import { Button } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { request } from "../api/client";
import { checkpoint, entries, exposure } from "../api/queries";
import type { AuditEntry, Checkpoint, Exposure, Verification } from "../api/types";
import { duration, number, plural } from "../format";
import { By } from "../parts/By";
import { Data } from "../parts/Data";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Card, Facts, Page, Table } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { Time } from "../parts/Time";

const route = getRouteApi("/inside/audit");

export default function Audit() {
  return (
    <Page title="Audit">
      <Loaded query={useQuery(checkpoint)}>{(data) => <CheckpointCard of={data} />}</Loaded>
      <Loaded query={useQuery(exposure)}>{(data) => <ExposureCard of={data} />}</Loaded>
      <Verify />
      <Entries />
    </Page>
  );
}

function CheckpointCard({ of }: { of: Checkpoint }) {
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
              of.cosigned_by.join(", ")
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
            <strong>{one.name}</strong> {plural(one.size, "entry", "entries")}{" "}
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
  const { incident } = route.useSearch();
  const query = useInfiniteQuery(entries(incident));
  return (
    <Card
      title={incident === undefined ? "Entries" : `Entries of ${incident}`}
      aside={incident !== undefined && <Link to="/audit">All entries</Link>}
    >
      <Loaded query={query}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.items);
          if (rows.length === 0) {
            return <Empty title="No entry">The log starts with its first incident.</Empty>;
          }
          return (
            <>
              <EntryTable rows={rows} />
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

function EntryTable({ rows }: { rows: AuditEntry[] }) {
  return (
    <Table stacks label="Audit entries" head={["Entry", "When", "What", "By", "Incident", "Data"]}>
      {rows.map((row) => (
        <tr key={row.index}>
          <td className="number">
            <Link to="/audit/proof/$index" params={{ index: String(row.index) }}>
              #{row.index} proof
            </Link>
          </td>
          <td><Time at={row.at} /></td>
          <td>{row.kind}</td>
          <td><By actor={row.actor} source={row.source} /></td>
          <td>
            {row.incident !== "" && (
              <Link to="/incidents/$id" params={{ id: row.incident }}>{row.incident}</Link>
            )}
          </td>
          <td><Data of={row.data} /></td>
        </tr>
      ))}
    </Table>
  );
}
