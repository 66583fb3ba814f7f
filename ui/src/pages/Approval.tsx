// One question to people, at an address that can be passed on.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { approvals } from "../api/queries";
import { ApprovalBox } from "../parts/ApprovalBox";
import { Empty, Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";

const route = getRouteApi("/inside/approvals/$id");
const ANY = ""; // in whatever state it is

export default function Approval() {
  const { id } = route.useParams();
  const query = useQuery(approvals(ANY));
  return (
    <Page title="Approval" actions={<Link to="/approvals">All that wait</Link>}>
      <Loaded query={query}>
        {({ items }) => {
          const found = items.find((one) => one.id === id);
          return found ? (
            <ApprovalBox approval={found} />
          ) : (
            <Empty title="No such question">
              Either nobody was asked this, or it is not among the newest 500. The incident that it
              was about still has it.
            </Empty>
          );
        }}
      </Loaded>
    </Page>
  );
}
