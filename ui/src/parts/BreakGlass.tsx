// Break-glass: a right for minutes that two people give. While one stands, everybody reads of it
// above every page; asking, agreeing and ending stand under "Users and roles".
import { Button, NativeSelect, NumberInput, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useMay } from "../api/access";
import { request } from "../api/client";
import { emergencies, me } from "../api/queries";
import type { Emergency } from "../api/types";
import { Dialog } from "./Dialog";
import { Failure, Loaded } from "./Loaded";
import { Card, Table } from "./Page";
import { Time } from "./Time";

const words = (name: string) => name.replaceAll("_", " ");
const open = (one: Emergency) => one.phase === "standing" || one.phase === "asked";

export function BrokenGlass() {
  const items = useQuery(emergencies).data?.items.filter(open) ?? [];
  return items.map((one) => (
    <div key={one.id} className="banner" data-tone={one.phase === "standing" ? "bad" : "warn"} role="status">
      <strong>
        {one.phase === "standing"
          ? `Break-glass: ${one.user} may ${words(one.purpose)} in ${one.environment}`
          : `Break-glass: ${one.user} asks to ${words(one.purpose)} in ${one.environment}`}
      </strong>{" "}
      “{one.reason}”{" "}
      {one.phase === "standing" && one.ends_at ? (
        <>agreed to by {one.agreed_by}, until <Time at={one.ends_at} /></>
      ) : (
        <>a second person has to agree</>
      )}{" "}
      <Link to="/users">Users and roles</Link>
    </div>
  ));
}

/** Asking, agreeing and ending; what was, newest first. */
export function Emergencies() {
  const query = useQuery(emergencies);
  const breaks = useMay("break_glass");
  return (
    <Card title="Break-glass">
      <p className="dim">
        In an emergency two people give one of them one right in one environment, for at most an hour. Every
        channel hears of it. It opens this page, never a host.
      </p>
      <Loaded query={query}>
        {({ items, purposes }) => (
          <>
            {items.length === 0 ? <p className="dim">No glass was broken.</p> : (
              <Table label="Break-glass" head={["Who", "May", "Where", "Why", "State", ""]}>
                {items.map((one) => <Row key={one.id} one={one} />)}
              </Table>
            )}
            {breaks && <Ask purposes={purposes} />}
          </>
        )}
      </Loaded>
    </Card>
  );
}

function Row({ one }: { one: Emergency }) {
  const queries = useQueryClient();
  const who = useQuery(me).data?.name;
  const agrees = useMay("break_glass", one.environment) && who !== one.user;
  const ends = useMay("freeze", one.environment) || who === one.user;
  const deed = useMutation({
    mutationFn: (verb: "agree" | "end") =>
      request<Emergency>("POST", `/break-glass/${encodeURIComponent(one.id)}/${verb}`),
    onSuccess: () => queries.invalidateQueries({ queryKey: emergencies.queryKey }),
  });
  return (
    <tr>
      <td>{one.user}</td>
      <td>{words(one.purpose)}</td>
      <td>{one.environment}</td>
      <td>{one.reason}</td>
      <td>
        {one.phase}
        {one.agreed_by && <>, agreed to by {one.agreed_by}</>}
        {one.ends_at && <> until <Time at={one.ended_at ?? one.ends_at} /></>}
      </td>
      <td>
        {one.phase === "asked" && agrees && (
          <Button size="xs" color="red" loading={deed.isPending} onClick={() => deed.mutate("agree")}>
            Agree
          </Button>
        )}{" "}
        {open(one) && ends && (
          <Button size="xs" variant="default" loading={deed.isPending} onClick={() => deed.mutate("end")}>
            End
          </Button>
        )}
        {deed.error && <Failure error={deed.error} />}
      </td>
    </tr>
  );
}

function Ask({ purposes }: { purposes: string[] }) {
  const queries = useQueryClient();
  const places = Object.keys(useQuery(me).data?.permissions ?? {}).filter((one) => one !== "*");
  const [shown, setShown] = useState(false);
  const [environment, setEnvironment] = useState("");
  const [purpose, setPurpose] = useState("");
  const [reason, setReason] = useState("");
  const [minutes, setMinutes] = useState<string | number>(30);
  const wish = {
    environment: environment || (places[0] ?? ""),
    purpose: purpose || (purposes[0] ?? ""),
    reason: reason.trim(),
    minutes: Number(minutes),
  };
  const ask = useMutation({
    mutationFn: () => request<Emergency>("POST", "/break-glass", wish),
    onSuccess: () => {
      setShown(false);
      setReason("");
      return queries.invalidateQueries({ queryKey: emergencies.queryKey });
    },
  });
  const close = () => {
    setShown(false);
    ask.reset();
  };
  return (
    <div className="row">
      <Button color="red" variant="outline" onClick={() => setShown(true)}>Break the glass</Button>
      <Dialog open={shown} onClose={close} title="Ask for a right in an emergency?">
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            ask.mutate();
          }}
        >
          <p>Nothing is given before a second person agrees, within 15 minutes. Everybody is told, now and then.</p>
          <NativeSelect
            label="Environment"
            data={places}
            value={wish.environment}
            onChange={(event) => setEnvironment(event.currentTarget.value)}
          />
          <NativeSelect
            label="Right"
            data={purposes.map((one) => ({ value: one, label: words(one) }))}
            value={wish.purpose}
            onChange={(event) => setPurpose(event.currentTarget.value)}
          />
          <NumberInput label="Minutes" min={1} max={60} value={minutes} onChange={setMinutes} />
          <TextInput
            label="Reason"
            description="Everybody reads it, and it goes into the audit log."
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            minLength={10}
            maxLength={500}
            required
          />
          {ask.error && <Failure error={ask.error} />}
          <div className="row end">
            <Button variant="default" onClick={close}>Cancel</Button>
            <Button type="submit" color="red" loading={ask.isPending} disabled={wish.reason.length < 10}>
              Ask
            </Button>
          </div>
        </form>
      </Dialog>
    </div>
  );
}
