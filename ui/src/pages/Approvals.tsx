import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { getRouteApi, Link } from "@tanstack/react-router";
import { approval as one, approvals } from "../api/queries";
import { ApprovalBox } from "../parts/ApprovalBox";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Card, Page } from "../parts/Page";

const route = getRouteApi("/inside/approvals");
const KINDS = ["pending", "approved", "denied", "expired", "withdrawn"];

export default function Approvals() {
  const { status = "pending" } = route.useSearch();
  const query = useQuery(approvals(status));
  const [answered, setAnswered] = useState<ReadonlyMap<string, Error | null>>(new Map());
  const waiting = new Set(status === "pending" ? query.data?.items.map(({ id }) => id) : []);
  const left = [...answered].filter(([id]) => status === "pending" && !waiting.has(id));
  return (
    <Page title="Approvals">
      <nav className="row tabs" aria-label="Which approvals">
        {KINDS.map((kind) => (
          <Link
            key={kind}
            to="/approvals"
            search={kind === "pending" ? {} : { status: kind }}
            aria-current={kind === status ? "page" : undefined}
          >
            {kind}
          </Link>
        ))}
      </nav>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={status === "pending" ? "Nothing waits for you" : `No ${status} approval`}>
              A question comes here when the policy lets a playbook run only with a person's consent.
            </Empty>
          ) : (
            items.map((approval) => (
              <ApprovalBox
                key={approval.id}
                approval={approval}
                onAnswered={(failure) =>
                  setAnswered((before) => new Map(before).set(approval.id, failure))}
              />
            ))
          )
        }
      </Loaded>
      {left.length > 0 && (
        <Card title="Answered just now">
          {left.reverse().map(([id, failure]) => <Left key={id} id={id} failure={failure} />)}
        </Card>
      )}
    </Page>
  );
}

/** A question that left the list after somebody answered it here: how it ended, and by whom. */
function Left({ id, failure }: { id: string; failure: Error | null }) {
  const query = useQuery(one(id));
  return (
    <>
      {failure && <Failure error={failure} />}
      <Loaded query={query}>{(found) => <ApprovalBox approval={found} />}</Loaded>
    </>
  );
}
