// The second step of a login and of what is at stake: a passkey, a code of an app, a recovery code.
import { Button, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { onStepUp, request } from "../api/client";
import { answer as askPasskey, canUse } from "../api/passkeys";
import type { SecondAnswer, SecondStep } from "../api/types";
import { Dialog } from "./Dialog";
import { Failure } from "./Loaded";

export function SecondFactor({ step, send, onDone }: {
  step: SecondStep;
  send: (answer: SecondAnswer) => Promise<unknown>;
  onDone: () => void;
}) {
  const [code, setCode] = useState("");
  const [recovering, setRecovering] = useState(!step.ways.includes("totp"));
  const passkey = step.ways.includes("webauthn") && canUse(step.party);
  const typed = useMutation({
    mutationFn: () =>
      send({ ticket: step.ticket, ...(recovering ? { recovery: code } : { code }) }),
    onSuccess: onDone,
  });
  const touched = useMutation({
    mutationFn: async () => send(await askPasskey(step)),
    onSuccess: onDone,
  });
  const error = typed.error ?? touched.error;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        typed.mutate();
      }}
    >
      {passkey && (
        <Button type="button" loading={touched.isPending} onClick={() => touched.mutate()}>
          Use a passkey
        </Button>
      )}
      {step.ways.includes("webauthn") && !passkey && (
        <p className="dim">
          Passkeys work at {step.party || "the address of people_origin"} only, not here.
        </p>
      )}
      <TextInput
        label={recovering ? "Recovery code" : "Code of your app"}
        autoComplete="one-time-code"
        inputMode={recovering ? "text" : "numeric"}
        required
        value={code}
        onChange={(event) => setCode(event.currentTarget.value)}
      />
      {error && <Failure error={error} />}
      <div className="row">
        <Button type="submit" variant={passkey ? "default" : "filled"} loading={typed.isPending}>
          Go on
        </Button>
        {step.ways.includes("totp") && (
          <Button type="button" variant="subtle" onClick={() => setRecovering(!recovering)}>
            {recovering ? "Use the app" : "Use a recovery code"}
          </Button>
        )}
      </div>
    </form>
  );
}

type Waiting = { step: SecondStep; settle: (shown: boolean) => void };

/** Asks for the second factor where a request needs a fresh one, and lets it go on. */
export function StepUp() {
  const [waiting, setWaiting] = useState<Waiting>();
  useEffect(() => {
    let leave = () => {};
    onStepUp(async () => {
      const step = await request<SecondStep>("POST", "/auth/step-up");
      return new Promise<boolean>((settle) => {
        leave = () => settle(false);
        setWaiting({ step, settle });
      });
    });
    return () => {
      onStepUp(undefined);
      leave(); // what waits for an answer is refused, and not left waiting
    };
  }, []);
  const end = (shown: boolean) => {
    waiting?.settle(shown);
    setWaiting(undefined);
  };
  return (
    <Dialog open={waiting !== undefined} onClose={() => end(false)} title="Show that it is you">
      {waiting && (
        <SecondFactor
          step={waiting.step}
          send={(given) => request("POST", "/auth/step-up/second", given)}
          onDone={() => end(true)}
        />
      )}
    </Dialog>
  );
}
