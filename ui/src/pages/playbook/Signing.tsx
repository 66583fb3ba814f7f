// Out to the signers and back. Their keys are offline and no page ever asks for one.
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Problem, request, requestFile } from "../../api/client";
import type { DraftDetail, DraftTaken } from "../../api/types";
import { Failure } from "../../parts/Loaded";
import { Card, Facts } from "../../parts/Page";

export function SignThere({ draft, dirty }: { draft: DraftDetail; dirty: boolean }) {
  const [days, setDays] = useState("90");
  const wrong = !/^\d+$/.test(days) || Number(days) < 1 || Number(days) > 365;
  const fetching = useMutation({
    mutationFn: async () => {
      const made = await requestFile(`/playbook-drafts/${draft.id}/unsigned?days=${days}`);
      save(made, `trust-${draft.name}-${draft.version}.json`);
    },
  });
  const why = dirty
    ? "Save first: what is kept is signed."
    : draft.signable
      ? undefined
      : "Findings that are errors keep it from being signed.";
  return (
    <Card title="Have it signed, elsewhere">
      <p>
        Only the signers decide what hosts run, with keys that are not on this machine. The file
        holds the whole catalogue with this version in it; they see what it lists and sign that.
        {draft.evaluation && (
          <> This installation has evaluation trust: the signers' key still lies on its machine.</>
        )}
      </p>
      <Facts
        of={[
          ["Signatures needed", `${draft.signers.threshold} of ${draft.signers.keys.length}`],
          ["Signers, by the root that counts", <Keys key="keys" of={draft.signers.keys} />],
          ["Digest of this text", <code key="digest">{draft.digest}</code>],
        ]}
      />
      <div className="row filters">
        <TextInput
          type="number"
          label="Days that the catalogue is valid"
          min={1}
          max={365}
          value={days}
          error={wrong ? "1 to 365" : undefined}
          onChange={(event) => setDays(event.currentTarget.value)}
        />
        <Button
          disabled={why !== undefined || wrong}
          title={why}
          loading={fetching.isPending}
          onClick={() => fetching.mutate()}
        >
          Download what is to be signed
        </Button>
        <Button
          variant="default"
          onClick={() => save(new Blob([draft.yaml], { type: "text/plain" }), "playbook.yaml")}
        >
          Download playbook.yaml
        </Button>
      </div>
      {why !== undefined && <p className="dim">{why}</p>}
      {fetching.error && <Failure error={fetching.error} />}
      <ol className="commands">
        {draft.signing.map((one) => (
          <li key={one.command}>
            <div>
              <span className="dim">
                {one.where === "signer" ? "On the signer's machine: " : "Here: "}
              </span>
              {one.what}
            </div>
            <Command text={one.command} />
          </li>
        ))}
      </ol>
    </Card>
  );
}

export function HandBack({ draft, onTaken }: {
  draft: DraftDetail;
  onTaken: (taken: DraftTaken) => void;
}) {
  const queries = useQueryClient();
  const chosen = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<File>();
  const hand = useMutation({
    mutationFn: async () =>
      request<DraftTaken>("POST", `/playbook-drafts/${draft.id}/signed`, await read(file)),
    onSuccess: async (taken) => {
      onTaken(taken);
      await queries.invalidateQueries({ queryKey: ["playbook"] });
    },
    // A file that was signed meanwhile under the same name is another one: it is chosen again.
    onSettled: () => {
      setFile(undefined);
      if (chosen.current) chosen.current.value = "";
    },
  });
  return (
    <Card title="Hand it back">
      <p>
        Every signature is checked here as <code>sentienguard trust import</code> checks it, and
        again by every host. If one thing does not hold, nothing is changed.
      </p>
      <form
        className="row filters"
        onSubmit={(event) => {
          event.preventDefault();
          hand.mutate();
        }}
      >
        <label className="stack">
          <span className="strong">The file with the signatures</span>
          <input
            ref={chosen}
            type="file"
            accept=".json,application/json"
            onChange={(event) => setFile(event.currentTarget.files?.[0])}
          />
        </label>
        <Button type="submit" loading={hand.isPending} disabled={file === undefined}>
          Take it over
        </Button>
      </form>
      {hand.error && <Failure error={hand.error} />}
    </Card>
  );
}

export function Command({ text }: { text: string }) {
  const [copied, setCopied] = useState<boolean>();
  return (
    <div className="command">
      <code>{text}</code>
      <Button
        size="xs"
        variant="default"
        aria-label={`Copy: ${text}`}
        onClick={() => {
          // Without TLS, and in old browsers, there is no clipboard: the text can be selected.
          const written = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("none"));
          written.then(() => setCopied(true), () => setCopied(false));
        }}
      >
        Copy
      </Button>
      <span className="dim" role="status">
        {copied === undefined ? "" : copied ? "copied" : "select it and copy it yourself"}
      </span>
    </div>
  );
}

function Keys({ of }: { of: string[] }) {
  return <>{of.map((one) => <div key={one}><code>{one}</code></div>)}</>;
}

async function read(file: File | undefined): Promise<unknown> {
  try {
    return JSON.parse(await (file as File).text()) as unknown;
  } catch {
    throw new Problem(0, "This is no trust file", "Hand back the file that was signed, as it is.");
  }
}

function save(made: Blob, name: string) {
  const address = URL.createObjectURL(made);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
