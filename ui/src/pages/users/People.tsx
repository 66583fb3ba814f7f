// Accounts: what each may, and what an administrator does to one.
import { Button } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../../api/client";
import { users } from "../../api/queries";
import type { User } from "../../api/types";
import { Dialog } from "../../parts/Dialog";
import { Failure, Loaded } from "../../parts/Loaded";
import { Card, Table } from "../../parts/Page";
import { Time } from "../../parts/Time";
import { Forget, Forgotten, type Gone } from "./Forget";
import { Grant } from "./Grant";

const at = encodeURIComponent;
const words = (name: string) => name.replaceAll("_", " ");

export function People({ manages }: { manages: boolean }) {
  const query = useQuery(users);
  const [changing, setChanging] = useState<User | "new">();
  const queries = useQueryClient();
  const [gone, setGone] = useState<Gone>();
  const done = () => {
    setChanging(undefined);
    void queries.invalidateQueries({ queryKey: ["users"] });
  };
  return (
    <Card
      title="People"
      aside={manages && <Button size="xs" onClick={() => setChanging("new")}>New account</Button>}
    >
      {gone && <Forgotten key={gone.pseudonym} of={gone} />}
      <Loaded query={query}>
        {({ items }) => (
          <Table stacks label="Accounts" head={["Name", "Roles", ""]}>
            {items.map((one) => (
              <tr key={one.name}>
                <td>{one.name}</td>
                <td><Grants of={one} /></td>
                <td>
                  {manages && (
                    <Manage user={one} onRoles={() => setChanging(one)} onForgotten={setGone} />
                  )}
                </td>
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

function Manage({ user, onRoles, onForgotten }: {
  user: User;
  onRoles: () => void;
  onForgotten: (gone: Gone) => void;
}) {
  const [resetting, setResetting] = useState(false);
  const end = useMutation({
    mutationFn: () => request("DELETE", `/users/${at(user.name)}/logins`),
  });
  const reset = useMutation({
    mutationFn: () => request("DELETE", `/users/${at(user.name)}/factors`),
    onSuccess: () => setResetting(false),
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
        loading={end.isPending}
        onClick={() => end.mutate()}
      >
        Sign out
      </Button>
      <Button
        size="xs"
        variant="default"
        aria-label={`Reset second factors of ${user.name}`}
        onClick={() => setResetting(true)}
      >
        Reset second factors
      </Button>
      <Forget name={user.name} onForgotten={onForgotten} />
      {end.error && <Failure error={end.error} />}
      {end.isSuccess && <span role="status">signed out</span>}
      {reset.isSuccess && <span role="status">second factors removed</span>}
      <Dialog
        open={resetting}
        onClose={() => setResetting(false)}
        title={`Reset the second factors of ${user.name}?`}
      >
        <p>
          For somebody who lost their telephone or key. Every passkey, app and recovery code of
          theirs is removed and they are signed out; until they register another, their password
          alone opens the account.
        </p>
        {reset.error && <Failure error={reset.error} />}
        <div className="row end">
          <Button variant="default" onClick={() => setResetting(false)}>Cancel</Button>
          <Button color="red" loading={reset.isPending} onClick={() => reset.mutate()}>
            Remove them
          </Button>
        </div>
      </Dialog>
    </div>
  );
}
