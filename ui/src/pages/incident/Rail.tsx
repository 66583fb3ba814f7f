// The five stages on a time line: how far the incident has come, and when.
import type { Story } from "../../api/types";
import { duration, plural, secondsBetween } from "../../format";
import { Time } from "../../parts/Time";
import { routeWords } from "../../parts/Tag";

export type State = "done" | "now" | "failed" | "ahead" | "none";

type Stop = { id: string; name: string; state: State; words: string; at: string | null };

const STATE_WORDS: Record<State, string> = {
  done: "done",
  now: "happening now",
  failed: "failed",
  ahead: "not reached yet",
  none: "did not happen",
};

export function Rail({ story }: { story: Story }) {
  const opened = story.incident.opened_at;
  return (
    <nav aria-label="Stages">
      <ol className="rail">
        {stops(story).map((stop) => (
          <li key={stop.id} data-state={stop.state}>
            <a href={`#${stop.id}`}>
              <span className="rail-name">{stop.name}</span>
              <span className="hidden">{STATE_WORDS[stop.state]}</span>
              <span>{stop.words}</span>
              {stop.at !== null && (
                <span className="dim">
                  <Time at={stop.at} /> <Offset from={opened} to={stop.at} />
                </span>
              )}
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}

function Offset({ from, to }: { from: string; to: string }) {
  const seconds = secondsBetween(from, to);
  if (seconds <= 0) return null; // the reading was taken before the incident opened
  return <span className="time">(+{duration(seconds)})</span>;
}

export function stops(story: Story): Stop[] {
  const { incident, anomaly, decision, approval, order, timeline } = story;
  const closed = incident.status === "CLOSED";
  const last = timeline.at(-1);
  return [
    {
      id: "observe",
      name: "Observe",
      state: "done",
      words: decision ? "evidence taken" : "reading taken",
      at: anomaly.at,
    },
    {
      id: "detect",
      name: "Detect",
      state: "done",
      words: anomaly.sigma === null ? `by ${anomaly.ground}` : `${anomaly.sigma.toFixed(2)} σ`,
      at: incident.opened_at,
    },
    {
      id: "decide",
      name: "Decide",
      state: decision ? (approval?.status === "pending" ? "now" : "done") : closed ? "none" : "now",
      words: decision
        ? approval?.status === "pending" ? "waits for a person" : routeWords(decision.route)
        : closed ? "not needed" : "working on it",
      at: decision?.at ?? null,
    },
    { id: "execute", name: "Execute", ...execution(story), at: order?.released_at ?? null },
    {
      id: "audit",
      name: "Audit",
      state: closed ? "done" : "now",
      words: plural(timeline.length, "entry", "entries"),
      at: last?.at ?? null,
    },
  ];
}

const GOOD = new Set(["SUCCESS", "SUCCESS_NO_ACTION", "DRY_RUN"]);

function execution({ incident, order }: Story): { state: State; words: string } {
  if (order === null) {
    return incident.status === "CLOSED"
      ? { state: "none", words: "nothing was run" }
      : { state: "ahead", words: "nothing yet" };
  }
  if (order.status === "refused") return { state: "failed", words: "refused by the host" };
  if (order.status === "withdrawn") return { state: "none", words: "withdrawn" };
  if (order.outcome === null) return { state: "now", words: "under way" };
  return {
    state: GOOD.has(order.outcome) ? "done" : "failed",
    words: order.outcome.toLowerCase().replaceAll("_", " "),
  };
}
