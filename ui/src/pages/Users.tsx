// Who may do what, where, until when; what each role may do; tokens of machines that only read.
import { Button, NativeSelect, NumberInput, PasswordInput, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useMay } from "../api/access";
import { request } from "../api/client";
import { findings, me, readTokens, roles, users } from "../api/queries";
import type { ReadToken, Role, User } from "../api/types";
import { Emergencies } from "../parts/BreakGlass";
import { Dialog } from "../parts/Dialog";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Card, Page, Table } from "../parts/Page";
import { Time } from "../parts/Time";

const DAY_MS = 86_400_000;
const at = encodeURIComponent;
const words = (name: string) => name.replaceAll("_", " ");

export default function Users() {
  const sees = useMay("view_users");
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

function People({ manages }: { manages: boolean }) {
  const query = useQuery(users);
  const [changing, setChanging] = useState<User | "new">();
  const queries = useQueryClient();
  const done = () => {
    setChanging(undefined);
    void queries.invalidateQueries({ queryKey: ["users"] });
  };
  return (
    <Card
      title="People"
      aside={manages && <Button size="xs" onClick={() => setChanging("new")}>New account</Button>}
    >
      <Loaded query={query}>
        {({ items }) => (
          <Table stacks label="Accounts" head={["Name", "Roles", ""]}>
            {items.map((one) => (
              <tr key={one.name}>
                <td>{one.name}</td>
                <td><Grants of={one} /></td>
                <td>{manages && <Manage user={one} onRoles={() => setChanging(one)} />}</td>
              </tr>
            ))}
          </Table>
        )}
      </Loaded>
      <Dialog
        open={changing !== undefined}
        onClose={() => setChanging(undefined)}
        title={changing === "new" ? "New account" : `Roles of ${changing?.name ?? ""}`}
      >
        {changing && <Grant user={changing} onDone={done} />}
      </Dialog>
    </Card>
  );
}

function Grants({ of }: { of: User }) {
  const entries = Object.entries(of.roles);
  if (entries.length === 0) return <span className="dim">none</span>;
  return (
    <ul className="plain">
      {entries.map(([place, role]) => (
        <li key={place}>
          {words(role)} in {place === "*" ? "every environment" : place}
          {of.ends[place] && <> until <Time at={of.ends[place]} /></>}
        </li>
      ))}
    </ul>
  );
}

function Manage({ user, onRoles }: { user: User; onRoles: () => void }) {
  const act = useMutation({
    mutationFn: (what: "logins" | "factors") =>
      request("DELETE", `/users/${at(user.name)}/${what}`),
  });
  return (
    <div className="row">
      <Button size="xs" variant="default" aria-label={`Roles of ${user.name}`} onClick={onRoles}>
        Roles
      </Button>
      <Button
        size="xs"
        variant="default"
        aria-label={`Sign out ${user.name}`}
        loading={act.isPending}
        onClick={() => act.mutate("logins")}
      >
        Sign out
      </Button>
      <Button
        size="xs"
        variant="default"
        aria-label={`Take factors of ${user.name}`}
        title="For somebody who lost theirs: the password alone opens the account again"
        loading={act.isPending}
        onClick={() => act.mutate("factors")}
      >
        Take factors
      </Button>
      {act.error && <Failure error={act.error} />}
      {act.isSuccess && <span role="status">done</span>}
    </div>
  );
}

function Grant({ user, onDone }: { user: User | "new"; onDone: () => void }) {
  const fresh = user === "new";
  const places = Object.keys(useQuery(me).data?.permissions ?? {}).filter((one) => one !== "*");
  const known = useQuery(roles).data?.items ?? [];
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [chosen, setChosen] = useState<Record<string, string>>(fresh ? {} : user.roles);
  const [days, setDays] = useState<number | string>("");
  const save = useMutation({
    mutationFn: () => {
      const kept = Object.fromEntries(Object.entries(chosen).filter(([, role]) => role !== ""));
      const until = new Date(Date.now() + Number(days) * DAY_MS).toISOString();
      const ends = days === "" ? (fresh ? {} : endsOf(user, kept)) : mapped(kept, until);
      return fresh
        ? request("POST", "/users", { name, password, roles: kept, ends })
        : request("PUT", `/users/${at(user.name)}/roles`, { roles: kept, ends });
    },
    onSuccess: onDone,
  });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      {fresh && (
        <>
          <TextInput
            label="Name"
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <PasswordInput
            label="Password, 12 characters or more"
            autoComplete="new-password"
            required
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
        </>
      )}
      {["*", ...places].map((place) => (
        <NativeSelect
          key={place}
          label={place === "*" ? "In every environment" : `In ${place}`}
          value={chosen[place] ?? ""}
          data={[{ value: "", label: place === "*" ? "nothing" : "as everywhere" },
            ...known.map((one) => ({ value: one.role, label: words(one.role) }))]}
          onChange={(event) => setChosen({ ...chosen, [place]: event.currentTarget.value })}
        />
      ))}
      <NumberInput
        label="For how many days"
        description="Empty: as long as it stands. An auditor has 30 at most."
        min={1}
        value={days}
        onChange={setDays}
      />
      {save.error && <Failure error={save.error} />}
      <div className="row">
        <Button type="submit" loading={save.isPending}>
          {fresh ? "Make the account" : "Set the roles"}
        </Button>
      </div>
    </form>
  );
}

const mapped = (kept: Record<string, string>, until: string) =>
  Object.fromEntries(Object.keys(kept).map((place) => [place, until]));

/** What was said of ends stays, where the role stays. */
const endsOf = (user: User, kept: Record<string, string>) =>
  Object.fromEntries(Object.entries(user.ends).filter(([place]) => kept[place] === user.roles[place]));

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

function Machines() {
  const query = useQuery(readTokens);
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [place, setPlace] = useState("");
  const places = Object.keys(useQuery(me).data?.permissions ?? {}).filter((one) => one !== "*");
  const environment = place || places[0] || "";
  const changed = () => void queries.invalidateQueries({ queryKey: ["read-tokens"] });
  const add = useMutation({
    mutationFn: () => request<{ token: string }>("POST", "/read-tokens", { name, environment }),
    onSuccess: changed,
  });
  const revoke = useMutation({
    mutationFn: (id: string) => request("DELETE", `/read-tokens/${at(id)}`),
    onSuccess: changed,
  });
  const error = add.error ?? revoke.error;
  return (
    <Card title="Machines that only read">
      <form
        className="row filters"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <TextInput
          label="What it is for"
          placeholder="grafana"
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <NativeSelect
          label="Sees"
          value={environment}
          data={places}
          onChange={(event) => setPlace(event.currentTarget.value)}
        />
        <Button type="submit" loading={add.isPending}>Make a token for 90 days</Button>
      </form>
      {error && <Failure error={error} />}
      {add.data && (
        <pre className="output" tabIndex={0} aria-label="New token">{add.data.token}</pre>
      )}
      <Loaded query={query}>
        {({ items }) => items.length === 0 ? <p className="dim">None was made.</p> : (
          <Table stacks label="Tokens" head={["Name", "Sees", "Made by", "Ends", ""]}>
            {items.map((one: ReadToken) => (
              <tr key={one.id}>
                <td>{one.name}</td>
                <td>{one.environment}</td>
                <td>{one.made_by}</td>
                <td>
                  {one.revoked_at ? "revoked" : <Time at={one.expires_at} />}
                </td>
                <td>
                  {!one.revoked_at && (
                    <Button
                      size="xs"
                      variant="default"
                      aria-label={`Revoke ${one.name}`}
                      loading={revoke.isPending}
                      onClick={() => revoke.mutate(one.id)}
                    >
                      Revoke
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Loaded>
    </Card>
  );
}
