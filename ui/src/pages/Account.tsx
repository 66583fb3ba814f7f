// One's own account: second factors, recovery codes, where one is signed in.
import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../api/client";
import { canUse, make } from "../api/passkeys";
import { account } from "../api/queries";
import type { Account as View, PasskeyBegun, TotpBegun } from "../api/types";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Card, Page, Table } from "../parts/Page";
import { Time } from "../parts/Time";

type Added = { recovery_codes: string[] };
const at = encodeURIComponent;

export default function Account() {
  const query = useQuery(account);
  const queries = useQueryClient();
  const [codes, setCodes] = useState<string[]>([]);
  const changed = (added?: Added) => {
    if (added && added.recovery_codes.length > 0) setCodes(added.recovery_codes);
    void queries.invalidateQueries({ queryKey: ["account"] });
  };
  return (
    <Page title="Account">
      <Loaded query={query}>
        {(mine) => (
          <>
            {codes.length > 0 && <Codes codes={codes} onKept={() => setCodes([])} />}
            <Factors mine={mine} onChange={changed} />
            <Register mine={mine} onAdded={changed} />
            <Logins mine={mine} onChange={changed} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Codes({ codes, onKept }: { codes: string[]; onKept: () => void }) {
  return (
    <Card title="Your recovery codes">
      <p>
        Each opens your account once without your second factor. They are shown this once: keep them
        where your password is not.
      </p>
      <pre className="output" tabIndex={0} aria-label="Recovery codes">{codes.join("\n")}</pre>
      <div className="row">
        <Button variant="default" onClick={onKept}>I have kept them</Button>
      </div>
    </Card>
  );
}

function Factors({ mine, onChange }: { mine: View; onChange: (added?: Added) => void }) {
  const remove = useMutation({
    mutationFn: (id: string) => request("DELETE", `/account/factors/${at(id)}`),
    onSuccess: () => onChange(),
  });
  const renew = useMutation({
    mutationFn: () => request<{ codes: string[] }>("POST", "/account/recovery-codes"),
    onSuccess: ({ codes }) => onChange({ recovery_codes: codes }),
  });
  const error = remove.error ?? renew.error;
  if (mine.factors.length === 0) {
    return (
      <Card title="Second factors">
        <Empty title="Your password alone opens this account">
          {mine.second_factor === "required"
            ? "Everybody needs a second factor here: register one below to go on."
            : "Register a passkey or an app below; approvals and accounts then ask for it."}
        </Empty>
      </Card>
    );
  }
  return (
    <Card title="Second factors">
      {error && <Failure error={error} />}
      <Table stacks label="Second factors" head={["Name", "Kind", "Since", ""]}>
        {mine.factors.map((one) => (
          <tr key={one.id}>
            <td>
              {one.label}
              {one.approver_key !== "" && (
                <details>
                  <summary className="dim">For signing approvals</summary>
                  <p className="dim">
                    Give this line to the holders of the root keys. Once the root names it, hosts
                    take approvals by this passkey.
                  </p>
                  <code className="break">{one.approver_key}</code>
                </details>
              )}
            </td>
            <td>{one.way === "totp" ? "app with codes" : "passkey"}</td>
            <td><Time at={one.made_at} /></td>
            <td>
              <Button
                size="xs"
                variant="default"
                aria-label={`Remove ${one.label}`}
                loading={remove.isPending}
                onClick={() => remove.mutate(one.id)}
              >
                Remove
              </Button>
            </td>
          </tr>
        ))}
      </Table>
      <div className="row">
        <span>{mine.recovery_codes_left} recovery codes left</span>
        <Button size="xs" variant="default" loading={renew.isPending} onClick={() => renew.mutate()}>
          Make new ones
        </Button>
      </div>
    </Card>
  );
}

function Register({ mine, onAdded }: { mine: View; onAdded: (added: Added) => void }) {
  const [label, setLabel] = useState("");
  const [password, setPassword] = useState("");
  const [app, setApp] = useState<TotpBegun>();
  const [code, setCode] = useState("");
  const party = mine.passkeys_at === "" ? "" : new URL(mine.passkeys_at).hostname;
  const done = (added: Added) => {
    setApp(undefined);
    setCode("");
    setLabel("");
    setPassword("");
    onAdded(added);
  };
  const begin = useMutation({
    mutationFn: () => request<TotpBegun>("POST", "/account/totp", { password }),
    onSuccess: setApp,
  });
  const confirm = useMutation({
    mutationFn: () =>
      request<Added>("POST", "/account/totp/confirm", { ticket: app?.ticket, code, label }),
    onSuccess: done,
  });
  const passkey = useMutation({
    mutationFn: async () => {
      const begun = await request<PasskeyBegun>("POST", "/account/passkeys", { password });
      const made = await make(begun, mine.name);
      const body = { ticket: begun.ticket, label, ...made };
      return request<Added>("POST", "/account/passkeys/confirm", body);
    },
    onSuccess: done,
  });
  const error = begin.error ?? confirm.error ?? passkey.error;
  return (
    <Card title="Register a second factor">
      <TextInput
        label="A name for it"
        placeholder="my telephone"
        maxLength={60}
        value={label}
        onChange={(event) => setLabel(event.currentTarget.value)}
      />
      {mine.factors.length === 0 && (
        <PasswordInput
          label="Your password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
      )}
      {error && <Failure error={error} />}
      {app ? (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            confirm.mutate();
          }}
        >
          <p>Type this secret into your app, or open the address on your telephone:</p>
          <pre className="output" tabIndex={0} aria-label="Secret for the app">{app.secret}</pre>
          <pre className="output" tabIndex={0} aria-label="Address for the app">{app.address}</pre>
          <TextInput
            label="Code that the app shows"
            autoComplete="one-time-code"
            inputMode="numeric"
            required
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
          />
          <div className="row">
            <Button type="submit" loading={confirm.isPending}>Register the app</Button>
          </div>
        </form>
      ) : (
        <div className="row">
          <Button
            disabled={label.trim() === "" || !canUse(party)}
            loading={passkey.isPending}
            onClick={() => passkey.mutate()}
          >
            Register a passkey
          </Button>
          <Button
            variant="default"
            disabled={label.trim() === ""}
            loading={begin.isPending}
            onClick={() => begin.mutate()}
          >
            Register an app with codes
          </Button>
          {!canUse(party) && (
            <span className="dim">
              {mine.passkeys_at === ""
                ? "Passkeys need the setting people_origin."
                : `Passkeys work at ${mine.passkeys_at} only.`}
            </span>
          )}
        </div>
      )}
    </Card>
  );
}

function Logins({ mine, onChange }: { mine: View; onChange: () => void }) {
  const end = useMutation({
    mutationFn: (id: string) => request("DELETE", `/account/logins/${at(id)}`),
    onSuccess: () => onChange(),
  });
  const endAll = useMutation({
    mutationFn: () => request("DELETE", "/account/logins"),
    onSuccess: () => onChange(),
  });
  const error = end.error ?? endAll.error;
  return (
    <Card
      title="Where you are signed in"
      aside={
        <Button size="xs" variant="default" loading={endAll.isPending} onClick={() => endAll.mutate()}>
          Sign out everywhere
        </Button>
      }
    >
      {error && <Failure error={error} />}
      <Table stacks label="Logins" head={["Since", "From", "Second factor", "Ends", ""]}>
        {mine.logins.map((one) => (
          <tr key={one.id}>
            <td data-name="since"><Time at={one.opened_at} /></td>
            <td data-name="from">{one.address}{one.this && " (here)"}</td>
            <td data-name="second factor">{one.strong_at ? <Time at={one.strong_at} /> : "not shown"}</td>
            <td data-name="ends"><Time at={one.ends_at} /></td>
            <td>
              {!one.this && (
                <Button
                  size="xs"
                  variant="default"
                  loading={end.isPending}
                  onClick={() => end.mutate(one.id)}
                >
                  Sign out
                </Button>
              )}
            </td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}
