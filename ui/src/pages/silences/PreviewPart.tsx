import { Link } from "@tanstack/react-router";
import type { WindowKind } from "../../api/queries";
import type { Preview } from "../../api/types";
import { claim, plural } from "../../format";
import { Time } from "../../parts/Time";

const NAMED = 12; // hosts and incidents by name

/** What it would cover now. */
export function PreviewPart({ kind, of }: { kind: WindowKind; of: Preview }) {
  const incidents = [...of.open_incidents, ...of.recent_incidents];
  const rest = of.hosts_total - Math.min(of.hosts.length, NAMED);
  return (
    <div className="card stack" role="status" aria-label="What it would cover">
      <p>
        {of.hosts_total === 0 ? (
          <strong>It covers no host that is enrolled now.</strong>
        ) : (
          <>
            <strong>{plural(of.hosts_total, "host")}:</strong>{" "}
            {of.hosts.slice(0, NAMED).join(", ")}
            {rest > 0 && ` and ${rest} more`}
          </>
        )}
      </p>
      {kind === "silences" && (
        <p>
          {of.recent_incidents.length === 0
            ? "It would have kept no incident of the last 7 days from opening."
            : `It would have kept ${plural(of.recent_incidents.length, "incident")} of the last 7 days from opening.`}
          {of.open_incidents.length > 0 &&
            ` ${plural(of.open_incidents.length, "incident")} that it covers ${of.open_incidents.length === 1 ? "is" : "are"} open already and will go on.`}
        </p>
      )}
      {incidents.length > 0 && (
        <ul className="checks">
          {incidents.slice(0, NAMED).map((one) => (
            <li key={one.id}>
              <Link to="/incidents/$id" params={{ id: one.id }}>
                {claim(one.metric, one.subject, one.value)}
              </Link>{" "}
              <span className="dim">{one.host}, <Time at={one.opened_at} relative /></span>
            </li>
          ))}
        </ul>
      )}
      {of.spans.length > 0 && (
        <p>
          Next:{" "}
          {of.spans.map((span, at) => (
            <span key={span.starts_at}>
              {at > 0 && "; "}
              <Time at={span.starts_at} /> to <Time at={span.ends_at} />
            </span>
          ))}
        </p>
      )}
    </div>
  );
}
