import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { playbooks } from "../api/queries";
import type { Playbook } from "../api/types";
import { Empty, Loaded } from "../parts/Loaded";
import { Page, Table } from "../parts/Page";
import { RiskTag, Tag } from "../parts/Tag";

export default function Playbooks() {
  return (
    <Page title="Playbooks">
      <Loaded query={useQuery(playbooks)}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="The signed catalogue is empty">
              Only a playbook that an offline key has signed can run. <code>sentienguard playbook
              lint</code> and <code>sign</code> bring one here.
            </Empty>
          ) : (
            <Table stacks label="Playbooks" head={["Playbook", "For", "Risk", "Approval", "Record"]}>
              {items.map((playbook) => (
                <tr key={playbook.name}>
                  <td className="wide">
                    <Link to="/playbooks/$name" params={{ name: playbook.name }} className="strong">
                      {playbook.name}
                    </Link>{" "}
                    <span className="dim">{playbook.version}</span>
                    <div className="dim">{playbook.description}</div>
                  </td>
                  <td>
                    {playbook.symptom}
                    <div className="dim">{playbook.system}, {playbook.resource}</div>
                  </td>
                  <td data-name="risk"><RiskTag of={playbook.risk} /></td>
                  <td data-name="approval">{playbook.approval_required ? <Tag tone="warn">always</Tag> : "by policy"}</td>
                  <td><Record of={playbook} /></td>
                </tr>
              ))}
            </Table>
          )
        }
      </Loaded>
    </Page>
  );
}

export function Record({ of }: { of: Playbook }) {
  if (of.runs === 0) return <span className="dim">never run</span>;
  return <>{of.resolved} of {of.runs} resolved</>;
}
