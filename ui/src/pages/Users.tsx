// Who may do what, where, until when; what each role may do; tokens of machines that only read.
import { useQuery } from "@tanstack/react-query";
import { useMay, useMayEverywhere } from "../api/access";
import { findings, roles } from "../api/queries";
import type { Role } from "../api/types";
import { Emergencies } from "../parts/BreakGlass";
import { Empty, Loaded } from "../parts/Loaded";
import { Card, Page, Table } from "../parts/Page";
import { Time } from "../parts/Time";
import { Machines } from "./users/Machines";
import { People } from "./users/People";
import { Whose } from "./users/Whose";

const words = (name: string) => name.replaceAll("_", " ");

export default function Users() {
  const sees = useMay("view_users");
  const seesAll = useMayEverywhere("view_users");
  const manages = useMay("manage_users");
  return (
    <Page title="Users and roles">
      {sees ? <People manages={manages} /> : (
        <Empty title="Who else has an account is not yours to see">
          Administrators and auditors see it; below is what there is to ask for.
        </Empty>
      )}
      <Roles />
      {manages && <Machines />}
      <Emergencies />
      {seesAll && <Whose />}
      {sees && <Findings />}
    </Page>
  );
}

function Findings() {
  const query = useQuery(findings);
  return (
    <Card title="Findings">
      <p className="dim">
        What was odd about who approved and who signed in. Each has an honest explanation; ask for it.
      </p>
      {query.error ? (
        <p className="dim">Seeing them takes the right to see accounts in every environment.</p>
      ) : (
        <Loaded query={query}>
          {({ items }) => items.length === 0 ? <p className="dim">None lately.</p> : (
            <Table stacks label="Findings" head={["When", "Who", "What", "Detail", "From"]}>
              {items.map((one) => (
                <tr key={one.index}>
                  <td><Time at={one.at} /></td>
                  <td>{one.user}</td>
                  <td>{words(one.finding)}</td>
                  <td>{one.detail}</td>
                  <td>{one.address}</td>
                </tr>
              ))}
            </Table>
          )}
        </Loaded>
      )}
    </Card>
  );
}

function Roles() {
  const query = useQuery(roles);
  return (
    <Card title="What each role may do">
      <Loaded query={query}>
        {({ items }) => (
          <Table stacks label="Roles" head={["Role", "Is for", "May"]}>
            {items.map((one: Role) => (
              <tr key={one.role}>
                <td>{words(one.role)}</td>
                <td>{one.meaning}</td>
                <td>{one.permissions.map(words).join(", ")}</td>
              </tr>
            ))}
          </Table>
        )}
      </Loaded>
    </Card>
  );
}
