// The way of a cause: drawn among the calls around it, and as a list whose names lead on.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId } from "react";
import { topology } from "../../api/queries";
import type { Diagnosis, Story, Suspect } from "../../api/types";
import { plural } from "../../format";
import { BOX, layOut, shortly, type Call } from "../topologyLayout";

const HOURS = 24; // of calls around it
const AROUND = 16; // calls beside the way, the busiest

/** From the cause to where the symptom is seen. */
export function Way({ of, story }: { of: Suspect; story: Story }) {
  return (
    <ol className="way" aria-label="From the cause to the symptom">
      {of.path.map((object) => <li key={object}><Named object={object} story={story} /></li>)}
    </ol>
  );
}

/** An object of a diagnosis, with a link to its host or its service. */
export function Named({ object, story }: { object: string; story: Story }) {
  const { name, service, host } = parsed(object);
  const said = <code>{object}</code>;
  if (host !== undefined) {
    return host === story.incident.host ? (
      <Link to="/hosts/$agent" params={{ agent: story.agent_id }}>{said}</Link>
    ) : (
      <Link to="/hosts" search={{ text: host }}>{said}</Link>
    );
  }
  if (!service) return said;
  return (
    <Link to="/topology" search={{ environment: story.incident.environment, service: name }}>
      {said}
    </Link>
  );
}

/** host:NAME, service:NAME or service:NAME@HOST; anything else is a name alone. */
function parsed(object: string): { name: string; service: boolean; host?: string } {
  const service = object.startsWith("service:");
  const name = object.replace(/^(service|host):/, "");
  if (object.startsWith("host:")) return { name, service, host: name };
  const at = name.lastIndexOf("@");
  return service && at > 0 ? { name, service, host: name.slice(at + 1) } : { name, service };
}

type Drawn = Call & { way?: "on" | "beside" };

/** The calls of a picture: those of the way first, then others that touch it. */
export function drawn(told: Pick<Diagnosis, "edges">, path: string[], calls: Call[]): Drawn[] {
  const names = path.map((object) => parsed(object).name);
  const found = new Map<string, Drawn>();
  // What is at fault is called, what suffers calls it: the way runs against the calls.
  const add = (cause: string, effect: string, way: Drawn["way"]) => {
    const key = `${effect}\n${cause}`;
    if (cause !== effect && !found.has(key)) {
      found.set(key, { caller: effect, callee: cause, ...(way ? { way } : {}) });
    }
  };
  names.slice(1).forEach((effect, at) => add(names[at] ?? effect, effect, "on"));
  for (const [cause, effect] of told.edges) add(parsed(cause).name, parsed(effect).name, "beside");
  calls
    .filter(({ caller, callee }) => names.includes(caller) || names.includes(callee))
    .slice(0, AROUND)
    .forEach(({ caller, callee }) => add(callee, caller, undefined));
  return [...found.values()];
}

/** The list says the same to who cannot see it. */
export function Picture({ told, of, story }: { told: Diagnosis; of: Suspect; story: Story }) {
  const { environment } = story.incident;
  const calls = useQuery(topology(environment, HOURS)).data?.items ?? [];
  const tip = useId();
  const busiest = [...calls].sort((one, other) => other.calls - one.calls);
  const { places, lines, width, height } = layOut(drawn(told, of.path, busiest));
  if (lines.length === 0) return null; // it is seen where it began, and nobody calls it
  const names = of.path.map((object) => parsed(object).name);
  const roleOf = (name: string) =>
    name === names[0] ? "cause" : name === names.at(-1) ? "symptom" : names.includes(name) ? "on" : undefined;
  return (
    <figure className="chart">
      <div className="topology" role="region" aria-label="Picture of the way" tabIndex={0}>
        <svg
          viewBox={`0 0 ${width} ${height}`}
          width={width}
          height={height}
          role="img"
          aria-label={`The way of the cause over ${plural(names.length, "object")}, among ${plural(lines.length, "connection")}; the list above says it`}
        >
          <defs>
            {["way", "call"].map((kind) => (
              <marker key={kind} id={`${tip}${kind}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth={kind === "way" ? 13 : 8} markerHeight={kind === "way" ? 13 : 8} markerUnits="userSpaceOnUse" orient="auto-start-reverse">
                <path d="M 0 0 L 8 4 L 0 8 z" className="topology-tip" data-way={kind === "way" ? "on" : undefined} />
              </marker>
            ))}
          </defs>
          {lines.map(({ edge, path }) => (
            <path
              key={`${edge.caller} ${edge.callee}`}
              d={path}
              className="topology-line"
              data-way={edge.way}
              strokeWidth={edge.way === "on" ? 3 : 1.2}
              {...(edge.way
                ? { markerStart: `url(#${tip}way)` } // against the call: to who suffers
                : { markerEnd: `url(#${tip}call)` })}
            />
          ))}
          {places.map(({ name, x, y }) => (
            <g key={name} transform={`translate(${x} ${y})`}>
              <title>{name}</title>
              <rect width={BOX.width} height={BOX.height} rx={7} className="topology-box" data-way={roleOf(name)} />
              <text x={BOX.width / 2} y={BOX.height / 2} className="topology-name">{shortly(name)}</text>
              {WORDS[roleOf(name) ?? ""] !== undefined && (
                <text x={BOX.width / 2} y={-5} className="topology-role">{WORDS[roleOf(name) ?? ""]}</text>
              )}
            </g>
          ))}
        </svg>
      </div>
      <figcaption>
        <span className="key" data-key="way">from the cause to where it is seen</span>
        {lines.some(({ edge }) => edge.way === "beside") && (
          <span className="key" data-key="beside">it travelled here too</span>
        )}
        {lines.some(({ edge }) => edge.way === undefined) && (
          <span className="key" data-key="call">who calls whom</span>
        )}
      </figcaption>
    </figure>
  );
}

const WORDS: Record<string, string | undefined> = { cause: "the cause", symptom: "seen here" };
