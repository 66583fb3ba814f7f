import { Button, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useDeferredValue, useState } from "react";
import { useMayEverywhere } from "../api/access";
import { playbooks } from "../api/queries";
import type { Playbook } from "../api/types";
import { plural } from "../format";
import { Empty, Loaded } from "../parts/Loaded";
import { Page, Table } from "../parts/Page";
import { RiskTag, Tag } from "../parts/Tag";

const route = getRouteApi("/inside/playbooks");

export default function Playbooks() {
  return (
    <Page title="Playbooks" actions={<Write />}>
      <Loaded query={useQuery(playbooks)}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="The signed catalogue is empty">
              Only a playbook that an offline key has signed can run. <code>sentienguard playbook
              lint</code> and <code>sign</code> bring one here.
            </Empty>
          ) : (
            <Searched items={items} />
          )
        }
      </Loaded>
    </Page>
  );
}

/** For administrators: the way to a playbook that there is not yet. */
function Write() {
  const may = useMayEverywhere("edit_playbooks");
  const navigate = useNavigate();
  const [name, setName] = useState("");
  if (!may) return null;
  const right = /^[a-z][a-z0-9_]{1,63}$/.test(name);
  return (
    <form
      className="row"
      onSubmit={(event) => {
        event.preventDefault();
        if (right) void navigate({ to: "/playbooks/$name/edit", params: { name } });
      }}
    >
      <TextInput
        size="xs"
        aria-label="Name of a new playbook"
        placeholder="a_new_playbook"
        title="Small letters, digits and underscores"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <Button type="submit" size="xs" variant="default" disabled={!right}>Write a new one</Button>
    </form>
  );
}

function Searched({ items }: { items: Playbook[] }) {
  const { text = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const words = useDeferredValue(text).toLowerCase();
  const shown = items.filter((one) =>
    [one.name, one.description, one.system, one.resource, one.symptom, one.risk]
      .join(" ").toLowerCase().includes(words),
  );
  return (
    <>
      <TextInput
        type="search"
        label="Search playbooks"
        placeholder="name, what it is for, risk"
        value={text}
        onChange={(event) => {
          const value = event.currentTarget.value;
          void navigate({ search: value === "" ? {} : { text: value }, replace: true });
        }}
      />
      <p className="dim" role="status">
        {shown.length === items.length
          ? plural(items.length, "playbook")
          : `${shown.length} of ${plural(items.length, "playbook")}`}
      </p>
      {shown.length === 0 ? (
        <Empty title="No playbook matches">
          <Link to="/playbooks">Show all</Link>
        </Empty>
      ) : (
        <Table stacks label="Playbooks" head={["Playbook", "For", "Risk", "Approval", "Record"]}>
          {shown.map((playbook) => <Row key={playbook.name} of={playbook} />)}
        </Table>
      )}
    </>
  );
}

function Row({ of }: { of: Playbook }) {
  return (
    <tr>
      <td className="wide">
        <Link to="/playbooks/$name" params={{ name: of.name }} className="strong">{of.name}</Link>{" "}
        <span className="dim">{of.version}</span>
        <div className="dim">{of.description}</div>
      </td>
      <td>
        {of.symptom}
        <div className="dim">{of.system}, {of.resource}</div>
      </td>
      <td data-name="risk"><RiskTag of={of.risk} /></td>
      <td data-name="approval">
        {of.approval_required ? <Tag tone="warn">always</Tag> : "by policy"}
      </td>
      <td><Record of={of} /></td>
    </tr>
  );
}

export function Record({ of }: { of: Playbook }) {
  if (of.runs === 0) return <span className="dim">never run</span>;
  return <>{of.resolved} of {of.runs} resolved</>;
}
