import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMayEverywhere } from "../api/access";
import { playbook } from "../api/queries";
import { Loaded } from "../parts/Loaded";
import { Card, Facts, Page } from "../parts/Page";
import { RiskTag } from "../parts/Tag";
import { Outcomes } from "./playbook/Outcomes";
import { RunButton } from "./playbook/RunDialog";
import { Versions } from "./playbook/Versions";
import { Record } from "./Playbooks";

const route = getRouteApi("/inside/playbooks/$name");

export default function Playbook() {
  const { name } = route.useParams();
  const query = useQuery(playbook(name));
  const edits = useMayEverywhere("edit_playbooks");
  return (
    <Page
      title={name}
      actions={
        query.data && (
          <>
            {edits && (
              <Link to="/playbooks/$name/edit" params={{ name }}>Edit a new version</Link>
            )}
            <RunButton playbook={query.data} />
          </>
        )
      }
    >
      <Loaded query={query}>
        {(data) => (
          <>
            <p>{data.description}</p>
            <Card title="What it is">
              <Facts
                of={[
                  ["Version", data.version],
                  ["Risk", <RiskTag key="risk" of={data.risk} />],
                  ["Why this risk", data.risk_reason || "nobody wrote it"],
                  ["Approval", data.approval_required ? "always needed" : "the policy decides"],
                  ["System", data.system],
                  ["Resource", data.resource],
                  ["Symptom", data.symptom],
                  ["Record", <Record key="record" of={data} />],
                  ["Digest of the signed bytes", <code key="digest">{data.digest}</code>],
                ]}
              />
            </Card>
            <Card title="Steps">
              <ol>
                {data.steps.map((step, at) => (
                  <li key={at}>{step}</li>
                ))}
              </ol>
            </Card>
            <Versions name={name} />
            <Outcomes name={name} />
            {data.yaml != null && (
              <Card title="As signed">
                <pre className="output" tabIndex={0}>{data.yaml}</pre>
              </Card>
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}
