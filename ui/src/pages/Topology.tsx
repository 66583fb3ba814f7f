// Which service calls which, as the traces of other systems tell.
import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { me, topology } from "../api/queries";
import type { Edge } from "../api/types";
import { number, plural } from "../format";
import { Empty, Loaded } from "../parts/Loaded";
import { Card, Page, Table } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { Time } from "../parts/Time";
import { BOX, layOut, shortly } from "./topologyLayout";

const route = getRouteApi("/inside/topology");
const SPANS = [
  { value: "1", label: "the last hour" },
  { value: "24", label: "the last day" },
  { value: "168", label: "the last week" },
];
const DRAWN = 150; // calls in one picture; more are in the table alone
const FEW = 100; // calls; where all are fewer, no line is thick

export default function Topology() {
  const { environment = "", hours = "24", service } = route.useSearch();
  const navigate = route.useNavigate();
  const who = useQuery(me).data;
  const query = useQuery(topology(environment || undefined, Number(hours) || 24));
  const places = Object.keys(who?.permissions ?? {}).filter((name) => name !== "*");
  const set = (change: { environment?: string; hours?: string }) => {
    const next = { environment, hours, ...change };
    void navigate({
      search: {
        ...(next.environment ? { environment: next.environment } : {}),
        ...(next.hours === "24" ? {} : { hours: next.hours }),
        ...(service === undefined ? {} : { service }),
      },
      replace: true,
    });
  };
  return (
    <Page title="Topology">
      <div className="row filters">
        <NativeSelect
          label="Environment"
          value={environment}
          data={[{ value: "", label: "all" }, ...places]}
          onChange={(event) => set({ environment: event.currentTarget.value })}
        />
        <NativeSelect
          label="Calls of"
          value={hours}
          data={SPANS}
          onChange={(event) => set({ hours: event.currentTarget.value })}
        />
      </div>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No call was told of">
              Traces make this picture: point an OpenTelemetry exporter at <code>/v1/traces</code>{" "}
              with a token of <code>sentienguard tokens add</code>.
            </Empty>
          ) : (
            byEnvironment(items).map(([name, edges]) => (
              <Card
                key={name}
                title={name}
                aside={<span className="dim">{plural(edges.length, "call")}</span>}
              >
                <Picture environment={name} edges={edges} marked={service} />
                <Calls environment={name} edges={edges} marked={service} />
              </Card>
            ))
          )
        }
      </Loaded>
    </Page>
  );
}

function byEnvironment(edges: Edge[]): [string, Edge[]][] {
  const found = new Map<string, Edge[]>();
  for (const edge of edges) found.set(edge.environment, [...(found.get(edge.environment) ?? []), edge]);
  return [...found];
}

/** `marked`: the service that the address names. */
type Shown = { environment: string; edges: Edge[]; marked: string | undefined };

/** The picture; the table below says the same to who cannot see it. */
function Picture({ environment, edges, marked }: Shown) {
  const drawn = [...edges].sort((one, other) => other.calls - one.calls).slice(0, DRAWN);
  const { places, lines, width, height } = layOut(drawn);
  const most = Math.max(...drawn.map(({ calls }) => calls), FEW);
  const tip = `tip-${environment.replaceAll(/\W/g, "-")}`;
  return (
    <div
      className="topology"
      role="region"
      aria-label={`Picture of the calls in ${environment}`}
      tabIndex={0}
    >
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        role="img"
        aria-label={`${plural(places.length, "service")} and ${plural(lines.length, "call")} between them; the table below lists them`}
      >
        <defs>
          <marker id={tip} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">
            <path d="M 0 0 L 8 4 L 0 8 z" className="topology-tip" />
          </marker>
        </defs>
        {lines.map(({ edge, path }) => (
          <path
            key={`${edge.caller} ${edge.callee} ${edge.kind}`}
            d={path}
            className="topology-line"
            data-kind={edge.kind}
            strokeWidth={1.2 + 2.6 * (Math.log1p(edge.calls) / Math.log1p(most))}
            markerEnd={`url(#${tip})`}
          />
        ))}
        {places.map(({ name, x, y }) => (
          <g key={name} transform={`translate(${x} ${y})`}>
            <title>{name}</title>
            <rect width={BOX.width} height={BOX.height} rx={7} className="topology-box" data-way={name === marked ? "marked" : undefined} />
            <text x={BOX.width / 2} y={BOX.height / 2} className="topology-name">{shortly(name)}</text>
          </g>
        ))}
      </svg>
      {edges.length > drawn.length && (
        <p className="dim">The {DRAWN} busiest of {plural(edges.length, "call")}.</p>
      )}
    </div>
  );
}

const KINDS = { request: "request", message: "message", database: "database" };

function Calls({ environment, edges, marked }: Shown) {
  return (
    <Table
      stacks
      label={`Calls in ${environment}`}
      head={["Caller", "Calls", "Kind", "Spans", "Last seen"]}
    >
      {edges.map((edge) => (
        <tr
          key={`${edge.caller} ${edge.callee} ${edge.kind}`}
          data-chosen={marked !== undefined && [edge.caller, edge.callee].includes(marked)}
        >
          <td className="path">{edge.caller}</td>
          <td data-name="calls" className="path">{edge.callee}</td>
          <td><Tag tone="quiet">{KINDS[edge.kind]}</Tag></td>
          <td data-name="spans" className="number">{number(edge.calls)}</td>
          <td data-name="seen"><Time at={edge.last_seen} relative /></td>
        </tr>
      ))}
    </Table>
  );
}
