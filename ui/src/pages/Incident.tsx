// One incident as a story: five stages, each claim with its evidence.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { incident } from "../api/queries";
import type { Story } from "../api/types";
import { duration, symptom } from "../format";
import { useAnchor } from "../parts/anchor";
import { ApprovalBox } from "../parts/ApprovalBox";
import { Loaded } from "../parts/Loaded";
import { Facts, Page } from "../parts/Page";
import { SeverityTag, StateTag } from "../parts/Tag";
import { Time } from "../parts/Time";
import { Advice } from "./incident/Advice";
import { Audit } from "./incident/Audit";
import { Brief } from "./incident/Brief";
import { CareBox } from "./incident/CareBox";
import { Decide } from "./incident/Decide";
import { Detect } from "./incident/Detect";
import { Diagnosis } from "./incident/Diagnosis";
import { Execute } from "./incident/Execute";
import { Observe } from "./incident/Observe";
import { PostMortem } from "./incident/PostMortem";
import { Rail } from "./incident/Rail";
import { Replay } from "./incident/Replay";
import { StopButton } from "./incident/StopButton";

const route = getRouteApi("/inside/incidents/$id");

export default function Incident() {
  const { id } = route.useParams();
  const query = useQuery(incident(id));
  return (
    <Page
      title={query.data ? symptom(query.data.incident) : id}
      actions={
        <>
          {query.data && <StopButton story={query.data} />}
          <Link to="/questions" search={{ incident: id }}>Ask about it</Link>
          <Link to="/incidents/$id" params={{ id }} hash="post-mortem">Post-mortem</Link>
        </>
      }
    >
      <Loaded query={query}>{(story) => <Whole story={story} />}</Loaded>
    </Page>
  );
}

function Whole({ story }: { story: Story }) {
  const { incident: summary } = story;
  useAnchor();
  return (
    <>
      <div className="row">
        <StateTag incident={summary} />
        <SeverityTag of={summary.severity} />
        <span>{summary.summary}</span>
      </div>
      <Brief story={story} />
      {story.approval?.status === "pending" && (
        <ApprovalBox approval={story.approval} linked={false} />
      )}
      <CareBox story={story} />
      <Rail story={story} />
      <Facts
        of={[
          [
            "Host",
            <Link key="host" to="/hosts/$agent" params={{ agent: story.agent_id }}>
              {summary.host}
            </Link>,
          ],
          ["Environment", summary.environment],
          ["Opened", <Time key="opened" at={summary.opened_at} />],
          [
            "Closed",
            summary.closed_at === null ? "not yet" : <Time key="closed" at={summary.closed_at} />,
          ],
          ["Took", summary.duration_s === null ? "–" : duration(summary.duration_s)],
          [
            "Tags",
            Object.entries(story.tags).map(([key, tag]) => `${key}=${tag}`).join(", ") || "–",
          ],
          ["Incident", <code key="id">{summary.id}</code>],
        ]}
      />
      <Observe story={story} />
      <Detect story={story} />
      <Decide story={story} />
      <Diagnosis story={story} />
      <Advice story={story} />
      <Execute story={story} />
      <Audit story={story} />
      <Replay story={story} />
      <PostMortem story={story} />
    </>
  );
}
