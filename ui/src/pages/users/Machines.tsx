// Tokens of machines that only read, such as Grafana.
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../../api/client";
import { me, readTokens } from "../../api/queries";
import type { ReadToken } from "../../api/types";
import { Failure, Loaded } from "../../parts/Loaded";
import { Card, Table } from "../../parts/Page";
import { Time } from "../../parts/Time";

const at = encodeURIComponent;

export function Machines() {
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
