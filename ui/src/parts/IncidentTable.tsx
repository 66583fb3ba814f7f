import { Link } from "@tanstack/react-router";
import type { Incident } from "../api/types";
import { claim, duration, plural } from "../format";
import { LongTable } from "./LongTable";
import { SeverityTag, StateTag } from "./Tag";
import { Time } from "./Time";

export function IncidentTable({ rows, label = "Incidents" }: { rows: Incident[]; label?: string }) {
  return (
    <LongTable
      label={label}
      head={["State", "What", "Where", "Opened", "Took"]}
      rows={rows}
      keyOf={(row) => row.id}
      cells={(row) => (
        <>
          <td><StateTag incident={row} /></td>
          <td className="wide">
            <Link to="/incidents/$id" params={{ id: row.id }} className="strong">
              {claim(row.metric, row.subject, row.value)}
            </Link>
            <div className="dim">
              <SeverityTag of={row.severity} /> <span>{row.summary}</span>
              {row.earlier.length > 0 && `, seen ${plural(row.earlier.length, "time")} before`}
            </div>
          </td>
          <td>{row.host}<div className="dim">{row.environment}</div></td>
          <td><Time at={row.opened_at} /></td>
          <td data-name="took" className="number">
            {row.duration_s === null ? "–" : duration(row.duration_s)}
          </td>
        </>
      )}
    />
  );
}
