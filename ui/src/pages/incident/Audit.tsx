import { Link } from "@tanstack/react-router";
import type { Story } from "../../api/types";
import { By } from "../../parts/By";
import { Data } from "../../parts/Data";
import { Card, Table } from "../../parts/Page";
import { Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";

/** Every fact of it, in the order of the log. */
export function Audit({ story }: { story: Story }) {
  const { id } = story.incident;
  return (
    <Card
      id="audit"
      title="Audit"
      aside={
        <span className="row">
          <Link to="/audit" search={{ incident: id }}>In the log</Link>
          <a href={`/api/v1/incidents/${encodeURIComponent(id)}/record`} download={`${id}.json`}>
            Record (JSON)
          </a>
        </span>
      }
    >
      <Table stacks label="Audit timeline" head={["When", "Stage", "What", "By", "Proof", "Data"]}>
        {story.timeline.map((entry) => (
          <tr key={entry.index}>
            <td><Time at={entry.at} /></td>
            <td><Tag tone="quiet">{entry.stage}</Tag></td>
            <td className="wide">
              {entry.title}
              <div className="dim">{entry.kind}</div>
            </td>
            <td>
              <By
                actor={entry.actor}
                source={entry.source}
                host={entry.source === `agent:${story.agent_id}` ? story.incident.host : ""}
              />
            </td>
            <td>
              <Link to="/audit/proof/$index" params={{ index: String(entry.index) }}>
                #{entry.index}
              </Link>
            </td>
            <td><Data of={entry.data} /></td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}
