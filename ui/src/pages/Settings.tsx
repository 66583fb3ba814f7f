// What this control plane runs with. Read only: settings change in their file and with a restart.
import { TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMay } from "../api/access";
import { settings } from "../api/queries";
import type { Settings as All } from "../api/types";
import { Empty, Loaded } from "../parts/Loaded";
import { Card, Page, Table } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { Keys } from "./settings/Keys";

const route = getRouteApi("/inside/settings");

export default function Settings() {
  const sees = useMay("change_settings");
  return (
    <Page title="Settings">
      {sees ? <Shown /> : (
        <Empty title="Settings are for administrators">
          Who may do what, and where, stands under <Link to="/users">Users and roles</Link>.
        </Empty>
      )}
    </Page>
  );
}

function Shown() {
  const { text = "" } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Loaded query={useQuery(settings)}>
      {(data) => {
        const fits = data.items.filter((one) =>
          `${one.name} ${one.sentence}`.toLowerCase().includes(text.toLowerCase()),
        );
        const changed = fits.filter((one) => one.changed);
        const usual = fits.filter((one) => !one.changed);
        return (
          <>
            <p>
              Version {data.version}. Read from <code>{data.file}</code> and{" "}
              <code>SENTIENGUARD_*</code> when it started; a change takes effect with a restart.
              Roles are managed under <Link to="/users">Users and roles</Link>.
            </p>
            <Keys />
            <TextInput
              type="search"
              label="Search settings"
              value={text}
              onChange={(event) => {
                const value = event.currentTarget.value;
                void navigate({ search: value === "" ? {} : { text: value }, replace: true });
              }}
            />
            {fits.length === 0 && <Empty title="No setting matches" />}
            {changed.length > 0 && <Group title="Set here" of={changed} />}
            {usual.length > 0 && <Group title="As they come" of={usual} />}
          </>
        );
      }}
    </Loaded>
  );
}

function Group({ title, of }: { title: string; of: All["items"] }) {
  return (
    <Card title={title}>
      <Table stacks label={`Settings, ${title.toLowerCase()}`} head={["Setting", "Value", "What it is"]}>
        {of.map((one) => (
          <tr key={one.name}>
            <td className="wide"><code>{one.name}</code></td>
            <td className="path">
              {shown(one.value)}
              {one.changed && (
                <div><Tag tone="quiet">usually {shown(one.default)}</Tag></div>
              )}
            </td>
            <td className="wide">{marked(one.sentence)}</td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

function shown(value: string | number): string {
  return value === "" ? "empty" : String(value);
}

/** What stands between backticks is set as code. */
function marked(sentence: string) {
  return sentence.split("`").map((part, place) => (place % 2 ? <code key={place}>{part}</code> : part));
}
