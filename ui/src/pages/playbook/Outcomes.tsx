import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { playbookIncidents } from "../../api/queries";
import { Empty, Loaded } from "../../parts/Loaded";
import { Card, Table } from "../../parts/Page";
import { StateTag } from "../../parts/Tag";
import { Time } from "../../parts/Time";

/** Where the playbook was the decision, and how that ended. */
export function Outcomes({ name }: { name: string }) {
  const query = useInfiniteQuery(playbookIncidents(name));
  return (
    <Card title="Where it was decided on">
      <Loaded query={query}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.items);
          if (rows.length === 0) {
            return (
              <Empty title="Not decided on yet">
                The first incident that it is for will stand here, with how it ended.
              </Empty>
            );
          }
          return (
            <>
              <Table stacks label="Incidents" head={["State", "Incident", "Where", "Opened"]}>
                {rows.map((row) => (
                  <tr key={row.incident}>
                    <td><StateTag incident={row} /></td>
                    <td>
                      <Link to="/incidents/$id" params={{ id: row.incident }}>
                        <code>{row.incident}</code>
                      </Link>
                    </td>
                    <td>{row.host}<div className="dim">{row.environment}</div></td>
                    <td><Time at={row.opened_at} /></td>
                  </tr>
                ))}
              </Table>
              {query.hasNextPage && (
                <Button
                  variant="default"
                  loading={query.isFetchingNextPage}
                  onClick={() => void query.fetchNextPage()}
                >
                  Show older
                </Button>
              )}
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}
