import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { request } from "../../api/client";
import type { WindowKind } from "../../api/queries";
import type { Matcher, Preview, Window } from "../../api/types";
import { Failure } from "../../parts/Loaded";
import { Card } from "../../parts/Page";
import {
  COMPARISONS, DAYS, emptyDraft, LABELS, matchersOf, missing, ONCE, RECURRING, recurrenceOf,
  type Draft,
} from "./draft";
import { PreviewPart } from "./PreviewPart";

/** Makes a silence or a maintenance: what, when, why, and what it would cover. */
export function Builder({ kind, host, onMade }: {
  kind: WindowKind;
  host: string;
  onMade: () => void;
}) {
  const [draft, setDraft] = useState(() => emptyDraft(host));
  const queries = useQueryClient();
  const change = (some: Partial<Draft>) => {
    setDraft({ ...draft, ...some });
    tried.reset();
  };
  const tried = useMutation({
    mutationFn: () =>
      request<Preview>("POST", `/${kind}/preview`, {
        matchers: matchersOf(draft),
        recurrence: recurrenceOf(draft),
      }),
  });
  const made = useMutation({
    mutationFn: () =>
      request<Window>("POST", `/${kind}`, {
        matchers: matchersOf(draft),
        recurrence: recurrenceOf(draft),
        minutes: draft.minutes,
        reason: draft.reason.trim(),
      }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["freeze"] });
      onMade();
    },
  });
  const lacks = missing(draft);
  const silence = kind === "silences";
  return (
    <Card title={silence ? "New silence" : "New maintenance"}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          made.mutate();
        }}
      >
        <p className="dim">
          {silence
            ? "What it covers opens no incident and tells nobody. It is still measured and judged, and opens when the silence ends, if it still stands then."
            : "No remedy starts on the hosts that it covers. Incidents are opened and go to people."}
        </p>
        <Matchers draft={draft} kind={kind} onChange={(matchers) => change({ matchers })} />
        <When draft={draft} onChange={change} />
        <TextInput
          label="Why"
          description="Kept in the audit log, with your name."
          required
          maxLength={500}
          value={draft.reason}
          onChange={(event) => change({ reason: event.currentTarget.value })}
        />
        {tried.error && <Failure error={tried.error} />}
        {made.error && <Failure error={made.error} />}
        {tried.data && <PreviewPart kind={kind} of={tried.data} />}
        <div className="row end">
          <Button variant="default" onClick={onMade}>Not now</Button>
          <Button
            variant="default"
            loading={tried.isPending}
            disabled={matchersOf(draft).length === 0}
            onClick={() => tried.mutate()}
          >
            What would it cover?
          </Button>
          <Button
            type="submit"
            loading={made.isPending}
            disabled={lacks !== null}
            title={lacks ?? undefined}
          >
            {silence ? "Silence it" : "Begin maintenance"}
          </Button>
        </div>
      </form>
    </Card>
  );
}

function Matchers({ draft, kind, onChange }: {
  draft: Draft;
  kind: WindowKind;
  onChange: (matchers: Matcher[]) => void;
}) {
  const put = (at: number, some: Partial<Matcher>) =>
    onChange(draft.matchers.map((one, place) => (place === at ? { ...one, ...some } : one)));
  return (
    <fieldset className="plain stack">
      <legend>What: all of these must hold</legend>
      {draft.matchers.map((one, at) => (
        <div className="matcher" key={at}>
          <NativeSelect
            aria-label={`Label ${at + 1}`}
            data={[...LABELS[kind], { value: "tag.", label: "tag" }]}
            value={one.label.startsWith("tag.") ? "tag." : one.label}
            onChange={(event) => put(at, { label: event.currentTarget.value })}
          />
          {one.label.startsWith("tag.") && (
            <TextInput
              aria-label={`Tag name ${at + 1}`}
              placeholder="name of the tag"
              value={one.label.slice("tag.".length)}
              onChange={(event) => put(at, { label: `tag.${event.currentTarget.value}` })}
            />
          )}
          <NativeSelect
            aria-label={`Comparison ${at + 1}`}
            data={COMPARISONS}
            value={one.comparison}
            onChange={(event) =>
              put(at, { comparison: event.currentTarget.value as Matcher["comparison"] })
            }
          />
          <TextInput
            aria-label={`Value ${at + 1}`}
            placeholder={one.comparison.endsWith("~") ? "regular expression, as web-.*" : "value"}
            value={one.value}
            className="grow"
            onChange={(event) => put(at, { value: event.currentTarget.value })}
          />
          <Button
            size="xs"
            variant="default"
            aria-label={`Remove condition ${at + 1}`}
            disabled={draft.matchers.length === 1}
            onClick={() => onChange(draft.matchers.filter((_, place) => place !== at))}
          >
            Remove
          </Button>
        </div>
      ))}
      <Button
        size="xs"
        variant="default"
        onClick={() => onChange([...draft.matchers, { label: "host", comparison: "=", value: "" }])}
      >
        Add a condition
      </Button>
    </fieldset>
  );
}

const AGAIN = [
  { value: "once", label: "now, once" },
  { value: "weekly", label: "on days of the week" },
  { value: "cron", label: "as cron says" },
];

function When({ draft, onChange }: { draft: Draft; onChange: (some: Partial<Draft>) => void }) {
  const recurring = draft.again !== "once";
  return (
    <fieldset className="plain stack">
      <legend>When</legend>
      <div className="row filters">
        <NativeSelect
          label="It stands"
          data={AGAIN}
          value={draft.again}
          onChange={(event) => {
            const again = event.currentTarget.value as Draft["again"];
            const minutes = again === "once" ? ONCE[0]?.value : RECURRING[1]?.value;
            onChange({ again, minutes: Number(minutes) });
          }}
        />
        <NativeSelect
          label={recurring ? "Ends for good after" : "For"}
          data={recurring ? RECURRING : ONCE}
          value={String(draft.minutes)}
          onChange={(event) => onChange({ minutes: Number(event.currentTarget.value) })}
        />
      </div>
      {draft.again === "weekly" && (
        <div className="row" role="group" aria-label="Days">
          {DAYS.map((day) => (
            <label key={day} className="day">
              <input
                type="checkbox"
                checked={draft.days.includes(day)}
                onChange={({ currentTarget: { checked } }) =>
                  onChange({
                    days: DAYS.filter((one) => (one === day ? checked : draft.days.includes(one))),
                  })
                }
              />
              {day}
            </label>
          ))}
        </div>
      )}
      {recurring && (
        <div className="row filters">
          {draft.again === "weekly" ? (
            <TextInput
              type="time"
              label="From"
              value={draft.time}
              onChange={(event) => onChange({ time: event.currentTarget.value })}
            />
          ) : (
            <TextInput
              label="Cron"
              description="minute hour day month weekday"
              value={draft.cron}
              onChange={(event) => onChange({ cron: event.currentTarget.value })}
            />
          )}
          <TextInput
            label="Time zone"
            value={draft.zone}
            onChange={(event) => onChange({ zone: event.currentTarget.value })}
          />
          <TextInput
            type="number"
            label="Minutes each time"
            min={1}
            max={7 * 24 * 60}
            value={draft.lasts}
            onChange={(event) => onChange({ lasts: Number(event.currentTarget.value) || 1 })}
          />
        </div>
      )}
    </fieldset>
  );
}
