import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { proof } from "../api/queries";
import type { Proof as OneProof } from "../api/types";
import { verifyProof } from "../merkle";
import { By } from "../parts/By";
import { Failure, Loaded } from "../parts/Loaded";
import { Card, Facts, Page } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { Time } from "../parts/Time";
import { Contents } from "./audit/Contents";

const route = getRouteApi("/inside/audit/proof/$index");

export default function Proof() {
  const { index } = route.useParams();
  return (
    <Page title={`Proof of entry #${index}`} actions={<Link to="/audit" search={{ entry: index }}>In the log</Link>}>
      <Loaded query={useQuery(proof(Number(index)))}>
        {(data) => (
          <>
            <Verdict of={data} />
            <Card title="The entry">
              <Facts
                of={[
                  ["Place in the log", `${data.index} of ${data.tree_size}`],
                  ...written(data),
                  ["Leaf hash", <code key="leaf">{data.leaf_hash}</code>],
                ]}
              />
              <pre className="output" tabIndex={0}>{pretty(data.leaf)}</pre>
            </Card>
            <Contents index={data.index} of={data.contents} />
            <Card title="Path to the root">
              {data.path.length === 0 ? (
                <p className="dim">The tree has one leaf: it is the root.</p>
              ) : (
                <ol className="hashes">
                  {data.path.map((hash, at) => (
                    <li key={at}><code>{hash}</code></li>
                  ))}
                </ol>
              )}
            </Card>
            <Card title="Checkpoint">
              <pre className="output" tabIndex={0}>{data.checkpoint}</pre>
              <p className="dim">
                Its signatures are not checked here: a key that came from this server would prove
                nothing. <code>sentienguard audit verify</code> checks them with the key that you hold.
              </p>
            </Card>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Verdict({ of }: { of: OneProof }) {
  const checked = useQuery({
    queryKey: ["proof", "checked", of.index, of.tree_size, of.leaf_hash],
    queryFn: () => verifyProof(of),
    staleTime: Infinity,
    retry: false,
  });
  if (checked.error) return <Failure error={checked.error} />;
  if (checked.data === undefined) return <p role="status">Hashing …</p>;
  const passed = checked.data.every((check) => check.passed);
  return (
    <Card
      title={passed ? "Verified in your browser" : "This proof does not hold"}
      aside={<Tag tone={passed ? "good" : "bad"}>{passed ? "included" : "failed"}</Tag>}
    >
      <ul className="checks">
        {checked.data.map((check) => (
          <li key={check.name}>
            <Tag tone={check.passed ? "good" : "bad"}>{check.passed ? "ok" : "failed"}</Tag>{" "}
            <strong>{check.name}</strong>
            <div className="dim hash">{check.detail}</div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** What the leaf says in words, where it can be read; its bytes are below. */
function written({ leaf, host }: OneProof): [string, ReactNode][] {
  try {
    const { kind, ts_ms, actor, src } = JSON.parse(leaf) as Record<string, unknown>;
    return [
      ["What", String(kind)],
      ["When", <Time key="when" at={new Date(Number(ts_ms)).toISOString()} />],
      ["By", <By key="by" actor={String(actor)} source={String(src)} host={host} />],
    ];
  } catch {
    return [];
  }
}

function pretty(leaf: string): string {
  try {
    return JSON.stringify(JSON.parse(leaf), null, 2);
  } catch {
    return leaf;
  }
}
