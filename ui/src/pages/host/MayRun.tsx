// What may run on this host at most, with the rule that decides; nothing has to be wrong yet.
import { TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue } from "react";
import { mayRun, playbook } from "../../api/queries";
import type { HostDetail, MayRun as Row, MayRunList } from "../../api/types";
import { Empty, Loaded } from "../../parts/Loaded";
import { Card, Table } from "../../parts/Page";
import { RiskTag, RouteTag, Tag } from "../../parts/Tag";
import { Time } from "../../parts/Time";
import { RunButton } from "../playbook/RunDialog";

const route = getRouteApi("/inside/hosts/$agent");

export function MayRun({ host }: { host: HostDetail }) {
  const { playbook: text = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const words = useDeferredValue(text).toLowerCase();
  return (
    <Card title="What may run here">
      <p className="dim">
        The most that policy permits now. An incident's own rules, such as confidence and a silence,
        and the host's own checks restrict further; nothing permits more.
      </p>
      <Loaded query={useQuery(mayRun(host.agent_id))}>
        {({ items, ...budget }) =>
          items.length === 0 ? (
            <Empty title="The signed catalogue holds no playbook" />
          ) : (
            <>
              <Budget of={budget} />
              <TextInput
                type="search"
                label="Search playbooks"
                placeholder="name, symptom or deciding rule"
                value={text}
                onChange={(event) => {
                  const value = event.currentTarget.value;
                  void navigate({
                    search: ({ playbook: _, ...old }) =>
                      value === "" ? old : { ...old, playbook: value },
                    replace: true,
                    resetScroll: false,
                  });
                }}
              />
              <Rows of={items.filter((one) => matches(one, words))} host={host} />
            </>
          )
        }
      </Loaded>
    </Card>
  );
}

/** What the host counts for itself by the signed limits, as far as it has told. */
function Budget({ of }: { of: Omit<MayRunList, "items"> }) {
  return (
    <p className="dim" role="note" aria-label="Hourly budget">
      {of.heard_at === null ? (
        "This host was never heard: what it has started is not known."
      ) : (
        <>
          Started here in the last hour: {of.starts} of {of.max_per_hour}
          {of.starts >= of.max_per_hour && <> <Tag tone="warn">used up</Tag></>}, as the host
          told, heard last <Time at={of.heard_at} relative />. It counts for itself, and refuses
          what passes a limit.
        </>
      )}
    </p>
  );
}

function deciding(of: Row) {
  return of.rules.filter((rule) => rule.deciding);
}

function matches(of: Row, words: string): boolean {
  const said = [of.playbook, of.symptom, of.risk, ...deciding(of).map(({ rule }) => rule)];
  return said.join(" ").toLowerCase().includes(words);
}

function Rows({ of, host }: { of: Row[]; host: HostDetail }) {
  if (of.length === 0) return <Empty title="No playbook matches" />;
  return (
    <div className="may-run">
      <Table stacks label="Playbooks for this host" head={["Playbook", "At most", "Starts in the last hour", "Because", ""]}>
        {of.map((one) => (
          <tr key={one.playbook}>
            <td className="wide">
              <Link to="/playbooks/$name" params={{ name: one.playbook }}>{one.playbook}</Link>
              <div className="dim">for {one.symptom.replaceAll("_", " ")}</div>
            </td>
            <td><RouteTag of={one.route} /> <RiskTag of={one.risk} /></td>
            <td className="number" data-name="starts">
              {one.starts} of {one.max_per_hour}
              {one.starts >= one.max_per_hour && <> <Tag tone="warn">used up</Tag></>}
            </td>
            <td className="wide">
              {one.route === "RUN" ? "no rule restricts it" : <Because of={one} />}
              <details>
                <summary>all {one.rules.length} rules</summary>
                <ul className="checks">
                  {one.rules.map((rule) => (
                    <li key={rule.rule}>
                      <RouteTag of={rule.route} /> {rule.rule.replaceAll("_", " ")}: {rule.reason}
                    </li>
                  ))}
                </ul>
              </details>
            </td>
            <td><Try name={one.playbook} host={host} /></td>
          </tr>
        ))}
      </Table>
    </div>
  );
}

function Because({ of }: { of: Row }) {
  return (
    <>
      {deciding(of).map(({ rule, reason }) => (
        <div key={rule}>
          <span className="strong">{rule.replaceAll("_", " ")}</span>: {reason}
        </div>
      ))}
    </>
  );
}

/** The parameters come with the playbook, which is read when somebody wants to try it. */
function Try({ name, host }: { name: string; host: HostDetail }) {
  return (
    <RunButton
      of={name}
      on={{ host: host.host, agent: host.agent_id, environment: host.environment }}
      known={playbook(name)}
    />
  );
}
