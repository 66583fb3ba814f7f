import { useMemo } from "react";
import type { Evidence, Story } from "../../api/types";
import { bytes, metricKey, metricName, number, plural, reading } from "../../format";
import { Chart } from "../../parts/Chart";
import { Empty } from "../../parts/Loaded";
import { Card, Facts, Table } from "../../parts/Page";
import { Time } from "../../parts/Time";
import { Changes } from "./Changes";

/** What was seen on the host. */
export function Observe({ story }: { story: Story }) {
  const { anomaly, decision } = story;
  const mark = useMemo(
    () => ({ at: anomaly.at, value: anomaly.value }),
    [anomaly.at, anomaly.value],
  );
  const evidence = decision?.evidence;
  return (
    <Card
      id="observe"
      title="Observe"
      aside={evidence && <span className="dim">taken <Time at={evidence.taken_at} /></span>}
    >
      {evidence === undefined ? (
        <Empty title="The evidence is being taken">
          It is frozen when the decision is made, so that the decision can be replayed.
        </Empty>
      ) : (
        <>
          {evidence.recent.length > 0 && (
            <Chart
              metric={anomaly.metric}
              subject={anomaly.subject}
              points={evidence.recent}
              baseline={anomaly.baseline}
              anomaly={mark}
            />
          )}
          <Changes of={evidence} />
          <Consumers of={evidence} />
          <Logs of={evidence} />
          {Object.keys(evidence.related).length > 0 && (
            <details>
              <summary>
                Elsewhere on the host: {plural(Object.keys(evidence.related).length, "reading")}
              </summary>
              <Facts of={Object.entries(evidence.related).map(([key, value]) => related(key, value))} />
            </details>
          )}
          <details>
            <summary>The evidence in words, as the matching read it</summary>
            <pre className="output wrap" tabIndex={0}>{evidence.text}</pre>
          </details>
        </>
      )}
    </Card>
  );
}

function related(key: string, value: number): [string, string] {
  const { metric, subject } = metricKey(key);
  return [metricName(metric, subject), reading(metric, value)];
}

function Consumers({ of }: { of: Evidence }) {
  return (
    <div className="columns">
      {of.top_paths.length > 0 && (
        <div>
          <h3>Biggest on the volume</h3>
          <Table label="Biggest on the volume" head={["Path", "Size", "Growth"]}>
            {of.top_paths.map((path) => (
              <tr key={path.path}>
                <td className="path">{path.path}</td>
                <td className="number">{bytes(path.bytes)}</td>
                <td className="number">{bytes(path.growth_bytes_per_hour)}/h</td>
              </tr>
            ))}
          </Table>
        </div>
      )}
      {of.top_processes.length > 0 && (
        <div>
          <h3>Busiest processes</h3>
          <Table label="Busiest processes" head={["Process", "CPU", "Memory", "Disk I/O"]}>
            {of.top_processes.map((process) => (
              <tr key={process.pid}>
                <td>{process.name} <span className="dim">{process.pid}</span></td>
                <td className="number">{number(process.cpu_percent, 1)} %</td>
                <td className="number">{bytes(process.memory_bytes)}</td>
                <td className="number">{process.io_bytes_per_s ? `${bytes(process.io_bytes_per_s)}/s` : "–"}</td>
              </tr>
            ))}
          </Table>
        </div>
      )}
    </div>
  );
}

/** Log lines are the host's words, never ours: shown as text, nothing in them is followed. */
function Logs({ of }: { of: Evidence }) {
  if (of.log_lines.length === 0) return null;
  return (
    <>
      <h3>Log lines</h3>
      <ol className="output logs" tabIndex={0} aria-label="Log lines">
        {of.log_lines.map((line, at) => (
          <li key={at}>
            <Time at={line.at} /> <span className="dim">{line.file}</span> {line.text}
          </li>
        ))}
      </ol>
    </>
  );
}
