// Every listed version: what it proved, what it did where, and how its text differs from another.
import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { playbookVersions } from "../../api/queries";
import type { PlaybookVersion } from "../../api/types";
import { plural } from "../../format";
import { Loaded } from "../../parts/Loaded";
import { Card, Table } from "../../parts/Page";
import { Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";
import { Diff } from "./Diff";

const route = getRouteApi("/inside/playbooks/$name");

export function Versions({ name }: { name: string }) {
  return (
    <Loaded query={useQuery(playbookVersions(name))}>
      {({ items }) => (
        <>
          <Card title="Versions" aside={<span className="dim">the last 500 orders in each environment</span>}>
            <Table stacks label="Listed versions" head={["Version", "What is known of it", "Done so far", "Digest"]}>
              {items.map((one) => (
                <tr key={one.digest}>
                  <td>
                    <span className="strong">{one.version}</span>{" "}
                    {one.in_force && <Tag tone="good">in force</Tag>}
                    {one.revoked && <Tag tone="bad">taken back</Tag>}
                  </td>
                  <td data-name="known"><Proven of={one} /></td>
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

/** What is known of a version, strongest first; each says who says so, and what it is not. */
function Proven({ of }: { of: PlaybookVersion }) {
  const nothing = of.proven.length === 0 && of.tried.length === 0 && !of.shipped_case;
  if (nothing) return <span className="dim">nothing is known: no record, no proof</span>;
  return (
    <ul className="plain">
      {of.proven.map((one) => (
        <li key={one.drill}>
          {one.drill}: {one.verified} of {one.runs} verified <span className="dim">signed record</span>
        </li>
      ))}
      {of.tried.slice(0, 1).map((one) => (
        <li key={one.at}>
          <Tag tone={one.failed === 0 ? "good" : "bad"}>
            {one.held} of {one.held + one.failed} hold
          </Tag>{" "}
          on a pretended host, tried here <Time at={one.at} relative /> for {one.by}
        </li>
      ))}
      {of.shipped_case && (
        <li>
          comes with the release, whose tests prove it on a pretended host{" "}
          <span className="dim">not signed, not seen from here</span>
        </li>
      )}
      {of.proven.length === 0 && (
        <li className="dim">no signed record of drills: what it does unattended it has to earn here</li>
      )}
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
      <Diff from={older.yaml} to={newest.yaml} />
    </Card>
  );
}
