// Whether confidence was right: what was said of remedies that ran, beside what came of them.
import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { calibration } from "../api/queries";
import type { Calibration as Found } from "../api/types";
import { number, percent, plural } from "../format";
import { Figure } from "../parts/Figure";
import { Empty, Loaded } from "../parts/Loaded";
import { Card, Page, Table } from "../parts/Page";
import { ReliabilityPlot } from "../parts/ReliabilityPlot";
import { Tag } from "../parts/Tag";

const route = getRouteApi("/inside/calibration");
const SPANS = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "1 year" },
];

export default function Calibration() {
  const { days = "90", playbook } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(calibration(Number(days) || 90, playbook));
  const known = useQuery(calibration(Number(days) || 90, undefined)).data?.playbooks ?? [];
  const names = new Set([...known.map((one) => one.playbook), ...(playbook ? [playbook] : [])]);
  return (
    <Page title="Calibration">
      <p>
        A confidence of 90 % is honest when nine of ten remedies of which it was said resolved their
        incident. Counted are remedies that ran and whose incident has closed; resolved means that
        the host and the centre both saw the symptom gone.
      </p>
      <div className="row filters">
        <NativeSelect
          label="Span"
          value={days}
          data={SPANS}
          onChange={(event) => {
            const value = event.currentTarget.value;
            void navigate({ search: (old) => ({ ...old, days: value }), replace: true });
          }}
        />
        <NativeSelect
          label="Playbook"
          value={playbook ?? ""}
          data={[{ value: "", label: "all" }, ...names]}
          onChange={(event) => {
            const value = event.currentTarget.value;
            void navigate({
              search: ({ playbook: _, ...old }) => (value === "" ? old : { ...old, playbook: value }),
              replace: true,
            });
          }}
        />
      </div>
      <Loaded query={query}>
        {(found) =>
          found.count === 0 ? (
            <Empty title="No remedy has run and closed in this span">
              Each one that does adds a point. <code>sentienguard drill run</code> makes a first one.
            </Empty>
          ) : (
            <Whole of={found} />
          )
        }
      </Loaded>
    </Page>
  );
}

const FEW = 10; // as the server: fewer are never called off

function Judged({ band }: { band: Found["bands"][number] }) {
  if (band.off) return <Tag tone="warn">off</Tag>;
  if (band.count < FEW) return <Tag tone="quiet">too few</Tag>;
  return <Tag tone="good">as said</Tag>;
}

function Whole({ of }: { of: Found }) {
  const off = of.bands.filter((band) => band.off);
  return (
    <>
      <div className="figures">
        <Figure name="Remedies that ran" value={number(of.count)}>
          {number(of.resolved)} resolved
          {of.truncated && "; the newest are counted"}
        </Figure>
        <Figure name="Mean distance of said and seen" value={percent(of.error)}>
          expected calibration error
        </Figure>
        <Figure name="Brier score" value={of.brier === null ? "–" : number(of.brier, 3)}>
          0 is perfect, 0.25 a coin
        </Figure>
      </div>
      <Card title="Said and seen">
        <ReliabilityPlot bands={of.bands} />
        <p>
          {of.bands.every(({ count }) => count < FEW)
            ? `Fewer than ${FEW} remedies ran in each band: too few to judge by.`
            : off.length === 0
            ? "No band lies outside of what chance explains."
            : `${plural(off.length, "band")} outside of what chance explains: ${off
                .map((band) => `${percent(band.start)} to ${percent(band.end)}`)
                .join(", ")}.`}
        </p>
      </Card>
      <Card title="By band">
        <Table stacks label="Bands" head={["Confidence", "Ran", "Said", "Seen", "95 % interval", ""]}>
          {of.bands.filter((band) => band.count > 0).map((band) => (
            <tr key={band.start}>
              <td className="number">{percent(band.start)} to {percent(band.end)}</td>
              <td className="number" data-name="ran">{band.count}</td>
              <td className="number" data-name="said">{percent(band.said)}</td>
              <td className="number" data-name="seen">{percent(band.seen)}</td>
              <td className="number" data-name="interval">{percent(band.low)} to {percent(band.high)}</td>
              <td><Judged band={band} /></td>
            </tr>
          ))}
        </Table>
      </Card>
      <Card title="By playbook">
        <Table stacks label="Playbooks" head={["Playbook", "Ran", "Said", "Seen", "95 % interval"]}>
          {of.playbooks.map((one) => (
            <tr key={one.playbook}>
              <td className="wide">
                <Link to="/playbooks/$name" params={{ name: one.playbook }}>{one.playbook}</Link>
              </td>
              <td className="number" data-name="ran">{one.count}</td>
              <td className="number" data-name="said">{percent(one.said)}</td>
              <td className="number" data-name="seen">{percent(one.seen)}</td>
              <td className="number" data-name="interval">{percent(one.low)} to {percent(one.high)}</td>
            </tr>
          ))}
        </Table>
      </Card>
    </>
  );
}
