// Packages for auditors: ask for one, watch it being made, take it away.
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { useMay } from "../api/access";
import { request, requestFile } from "../api/client";
import { evidencePackages } from "../api/queries";
import type { EvidencePackage } from "../api/types";
import { bytes, plural } from "../format";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Card, Facts, Page } from "../parts/Page";
import { Tag, type Tone } from "../parts/Tag";
import { Time } from "../parts/Time";

const FRAMEWORKS = [
  { value: "soc2", label: "SOC 2" },
  { value: "iso-27001", label: "ISO 27001" },
  { value: "pci-dss", label: "PCI DSS" },
  { value: "hipaa", label: "HIPAA" },
  { value: "gdpr", label: "GDPR" },
];
const DAY_MS = 86_400_000;
const QUARTER = 90; // days that are offered first

const STATES: Record<EvidencePackage["state"], [Tone, string]> = {
  waiting: ["quiet", "waits its turn"],
  working: ["busy", "being made"],
  done: ["good", "ready"],
  failed: ["bad", "failed"],
};

export default function Evidence() {
  const exports = useMay("export_evidence");
  return (
    <Page title="Evidence">
      {exports ? (
        <>
          <Ask />
          <Packages />
        </>
      ) : (
        <Empty title="Evidence leaves the house through auditors and administrators">
          A package holds entries of every environment, so it takes the right to export in all of
          them. Single incidents and their proofs are yours to see under Audit.
        </Empty>
      )}
    </Page>
  );
}

function day(ago: number): string {
  return new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10);
}

function Ask() {
  const queries = useQueryClient();
  const [framework, setFramework] = useState("soc2");
  const [from, setFrom] = useState(() => day(QUARTER));
  const [to, setTo] = useState(() => day(0));
  const ask = useMutation({
    mutationFn: () => request<EvidencePackage>("POST", "/evidence", { framework, from, to }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["evidence"] }),
  });
  const wrong = from !== "" && to !== "" && from > to;
  return (
    <Card title="New package">
      <form
        className="row filters"
        onSubmit={(event) => {
          event.preventDefault();
          ask.mutate();
        }}
      >
        <NativeSelect
          label="Framework"
          value={framework}
          onChange={(event) => setFramework(event.currentTarget.value)}
          data={FRAMEWORKS}
        />
        <TextInput
          type="date"
          label="First day (UTC)"
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          type="date"
          label="Last day (UTC)"
          value={to}
          error={wrong ? "before the first day" : undefined}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
        <Button type="submit" loading={ask.isPending} disabled={wrong || from === "" || to === ""}>
          Build
        </Button>
      </form>
      <p className="dim">
        All entries of these days with their proofs, populations of each control, a report, and a
        verifier that needs nothing of ours. That it was built is itself recorded.
      </p>
      {ask.error && <Failure error={ask.error} />}
    </Card>
  );
}

function Packages() {
  return (
    <Loaded query={useQuery(evidencePackages)}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title="No package yet">
            Build the first one above; it stays here until you remove its directory.
          </Empty>
        ) : (
          items.map((one) => <Package key={one.id} of={one} />)
        )
      }
    </Loaded>
  );
}

function Package({ of }: { of: EvidencePackage }) {
  const [tone, words] = STATES[of.state];
  const name = FRAMEWORKS.find(({ value }) => value === of.framework)?.label ?? of.framework;
  return (
    <Card title={`${name}, ${of.from} to ${of.to}`} aside={<Tag tone={tone}>{words}</Tag>}>
      {of.state === "working" && <Progress of={of} />}
      {of.state === "failed" && <p className="error" role="alert">{of.detail}</p>}
      <Facts
        of={[
          ["Asked for", <span key="asked"><Time at={of.asked_at} /> by {of.by}</span>],
          ...(of.state === "done"
            ? [
                ["Holds", plural(of.rows, "entry", "entries")] as [string, string],
                ["Size", bytes(of.archive_bytes)] as [string, string],
              ]
            : []),
          ["Package", <code key="id">{of.id}</code>],
          ...(of.state === "done"
            ? ([
                ["SHA-256 of its manifest", <code key="manifest">{of.manifest_sha256}</code>],
                ["SHA-256 of the archive", <code key="archive">{of.archive_sha256}</code>],
              ] as [string, ReactNode][])
            : []),
        ]}
      />
      {of.state === "done" && <Download of={of} />}
    </Card>
  );
}

function Progress({ of }: { of: EvidencePackage }) {
  const label = of.doing === "" ? "beginning" : of.doing;
  return (
    <div className="stack" aria-live="polite">
      <label className="dim" htmlFor={`progress-${of.id}`}>
        {label}
        {of.of > 0 && `, ${of.done} of ${of.of}`}
      </label>
      <progress
        id={`progress-${of.id}`}
        className="progress"
        {...(of.of > 0 ? { value: of.done, max: of.of } : {})}
      />
    </div>
  );
}

/** The archive is fetched rather than linked to: it may take a second factor first. */
function Download({ of }: { of: EvidencePackage }) {
  const fetching = useMutation({
    mutationFn: async () => {
      const archive = await requestFile(`/evidence/${encodeURIComponent(of.id)}/download`);
      const address = URL.createObjectURL(archive);
      const link = document.createElement("a");
      link.href = address;
      link.download = `${of.id}.zip`;
      link.click();
      URL.revokeObjectURL(address);
    },
  });
  return (
    <div className="row">
      <Button loading={fetching.isPending} onClick={() => fetching.mutate()}>
        Download
      </Button>
      {fetching.isSuccess && <span role="status">saved as {of.id}.zip</span>}
      {fetching.error && <Failure error={fetching.error} />}
    </div>
  );
}
