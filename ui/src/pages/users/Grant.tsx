// A new account, or other roles for one that is there.
import { Button, NativeSelect, NumberInput, PasswordInput, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../../api/client";
import { me, roles } from "../../api/queries";
import type { User } from "../../api/types";
import { Failure } from "../../parts/Loaded";

const DAY_MS = 86_400_000;
const at = encodeURIComponent;
const words = (name: string) => name.replaceAll("_", " ");

export function Grant({ user, onDone }: { user: User | "new"; onDone: () => void }) {
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
