// One question to people, of any age, at an address that can be passed on.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Problem } from "../api/client";
import { approval } from "../api/queries";
import { ApprovalBox } from "../parts/ApprovalBox";
import { Empty, Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";

const route = getRouteApi("/inside/approvals/$id");

export default function Approval() {
  const { id } = route.useParams();
  const query = useQuery(approval(id));
  const none = query.error instanceof Problem && query.error.status === 404;
  return (
    <Page title="Approval" actions={<Link to="/approvals">All that wait</Link>}>
      {none ? (
        <Empty title="No such question">
          Nobody was asked this, or it is of an environment that you may not look at.
        </Empty>
      ) : (
        <Loaded query={query}>{(found) => <ApprovalBox approval={found} />}</Loaded>
      )}
    </Page>
  );
}
