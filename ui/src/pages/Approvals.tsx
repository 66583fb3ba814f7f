import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { approvals } from "../api/queries";
import { ApprovalBox } from "../parts/ApprovalBox";
import { Empty, Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";

const route = getRouteApi("/inside/approvals");
const KINDS = ["pending", "approved", "denied", "expired", "withdrawn"];

export default function Approvals() {
  const { status = "pending" } = route.useSearch();
  const query = useQuery(approvals(status));
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
            items.map((approval) => <ApprovalBox key={approval.id} approval={approval} />)
          )
        }
      </Loaded>
    </Page>
  );
}
