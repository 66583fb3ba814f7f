// Every listed version: what it proved, what it did where, and how its text differs from another.
import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { playbookVersions } from "../../api/queries";
import type { PlaybookVersion } from "../../api/types";
import { plural } from "../../format";
import { Empty, Loaded } from "../../parts/Loaded";
import { Card, Table } from "../../parts/Page";
import { Tag } from "../../parts/Tag";
import { difference, hunks } from "./difference";

const route = getRouteApi("/inside/playbooks/$name");

export function Versions({ name }: { name: string }) {
  return (
    <Loaded query={useQuery(playbookVersions(name))}>
      {({ items }) => (
        <>
          <Card title="Versions" aside={<span className="dim">the last 500 orders in each environment</span>}>
            <Table stacks label="Listed versions" head={["Version", "Proven in drills", "Done so far", "Digest"]}>
              {items.map((one) => (
                <tr key={one.digest}>
                  <td>
                    <span className="strong">{one.version}</span>{" "}
                    {one.revoked && <Tag tone="bad">taken back</Tag>}
                  </td>
                  <td data-name="proven"><Proven of={one} /></td>
                  <td data-name="done"><Done of={one} /></td>
                  <td><code title={one.digest}>{one.digest.slice(7, 19)}…</code></td>
                </tr>
              ))}
            </Table>
          </Card>
          <Differs items={items} />
        </>
      )}
    </Loaded>
  );
}

function Proven({ of }: { of: PlaybookVersion }) {
  if (of.proven.length === 0) return <span className="dim">no signed record</span>;
  return (
    <ul className="plain">
      {of.proven.map((one) => (
        <li key={one.drill}>
          {one.drill}: {one.verified} of {one.runs} verified
        </li>
      ))}
    </ul>
  );
}

function Done({ of }: { of: PlaybookVersion }) {
  if (of.places.length === 0) return <span className="dim">never ordered</span>;
  return (
    <ul className="plain">
      {of.places.map((one) => (
        <li key={one.environment}>
          {one.environment}: {one.verified} verified
          {one.rolled_back > 0 && `, ${one.rolled_back} rolled back`}
          {one.harmed > 0 && <>, <Tag tone="bad">{one.harmed} did harm</Tag></>}
          {one.dry_runs > 0 && `, ${plural(one.dry_runs, "dry run")}`}
          {one.other > 0 && `, ${one.other} otherwise`}
        </li>
      ))}
    </ul>
  );
}

function Differs({ items }: { items: PlaybookVersion[] }) {
  const { from, to } = route.useSearch();
  const navigate = route.useNavigate();
  const newest = items.find(({ digest }) => digest === to) ?? items[0];
  const older = items.find(({ digest }) => digest === from) ?? items[1];
  if (newest === undefined || older === undefined) return null;
  const options = items.map(({ version, digest, revoked }) => ({
    value: digest,
    label: `${version}${revoked ? ", taken back" : ""}`,
  }));
  const lines = hunks(difference(older.yaml, newest.yaml));
  return (
    <Card title="What changed">
      <div className="row filters">
        <NativeSelect
          label="From"
          value={older.digest}
          data={options}
          onChange={(event) => {
            const value = event.currentTarget.value;
            void navigate({ search: (old) => ({ ...old, from: value }), replace: true });
          }}
        />
        <NativeSelect
          label="To"
          value={newest.digest}
          data={options}
          onChange={(event) => {
            const value = event.currentTarget.value;
            void navigate({ search: (old) => ({ ...old, to: value }), replace: true });
          }}
        />
      </div>
      {lines.every((line) => line === null || line.kind === "same") ? (
        <Empty title="The two say the same" />
      ) : (
        <pre className="output diff" tabIndex={0} aria-label="Changed lines">
          {lines.map((line, at) =>
            line === null ? (
              <span key={at} className="diff-gap">{"⋯\n"}</span>
            ) : (
              <span key={at} data-kind={line.kind}>
                {line.kind === "added" ? "+ " : line.kind === "removed" ? "- " : "  "}
                {line.text}
                {"\n"}
              </span>
            ),
          )}
        </pre>
      )}
    </Card>
  );
}
