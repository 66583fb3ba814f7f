// The keys that are online: how old each is, when it is due, and what puts a new one in its place.
import { useQuery } from "@tanstack/react-query";
import { useMayEverywhere } from "../../api/access";
import { Problem } from "../../api/client";
import { keys } from "../../api/queries";
import type { OnlineKey } from "../../api/types";
import { plural } from "../../format";
import { Empty, Loaded } from "../../parts/Loaded";
import { Card, Table } from "../../parts/Page";
import { Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";

/** Left out where it is not this person's to see. */
export function Keys() {
  return useMayEverywhere("change_settings") ? <Shown /> : null;
}

function Shown() {
  const query = useQuery(keys);
  if (query.error instanceof Problem && query.error.status === 403) return null;
  return (
    <Card title="Keys that are online">
      <Loaded query={query}>
        {({ items, rotate_keys_days: days }) => {
          const waiting = items.filter(needsPeople).length;
          return (
            <>
              <p className="dim">
                What this control plane uses without asking anybody. A key may become{" "}
                {plural(days, "day")} old, or as old as its certificate.
              </p>
              {items.length === 0 ? (
                <Empty title="No key is online here">
                  <code>sentienguard doctor</code> says what this control plane signs and seals with.
                </Empty>
              ) : (
                <>
                  <p role="status">
                    {waiting === 0
                      ? "None needs anybody now."
                      : `${plural(waiting, "key needs", "keys need")} people.`}
                  </p>
                  <Rows of={items} />
                </>
              )}
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}

function Rows({ of }: { of: OnlineKey[] }) {
  return (
    <Table stacks label="Keys" head={["Key", "Made", "Due", "Rotated", "What to do"]}>
      {[...of].sort((one, other) => rank(one) - rank(other)).map((one) => (
        <tr key={`${one.name} ${one.id}`}>
          <td className="wide">
            <span className="strong">{one.name}</span>
            <div><code>{one.id}</code></div>
          </td>
          <td data-name="made"><Time at={one.made_at} relative /></td>
          <td data-name="due"><Due of={one} /></td>
          <td>{one.rotates}</td>
          <td className="wide">
            {needsPeople(one) ? one.way : <span className="dim">{calm(one)}</span>}
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** What rotates by itself may be due soon each day: nobody has to do anything. */
function Due({ of }: { of: OnlineKey }) {
  return (
    <>
      {needsPeople(of) && <NeedsPeople of={of} />}{" "}
      <Time at={of.due_at} relative />
    </>
  );
}

function NeedsPeople({ of }: { of: OnlineKey }) {
  return of.stage === "due" ? (
    <Tag tone="bad">needs people now</Tag>
  ) : (
    <Tag tone="warn">needs people soon</Tag>
  );
}

function calm(of: OnlineKey): string {
  return of.rotates === "by itself" ? "nothing" : `nothing yet, then: ${of.way}`;
}

function needsPeople(of: OnlineKey): boolean {
  return of.stage !== "good" && (of.rotates === "by hand" || of.rotates === "with the root keys");
}

function rank(of: OnlineKey): number {
  if (!needsPeople(of)) return 2;
  return of.stage === "due" ? 0 : 1;
}
