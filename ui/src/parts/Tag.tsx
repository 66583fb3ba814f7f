import type { ReactNode } from "react";
import type { Incident, Route } from "../api/types";

export type Tone = "good" | "bad" | "warn" | "busy" | "quiet";

/** A word with a colour; the word alone says it as well. */
export function Tag({ tone, children, title }: { tone: Tone; children: ReactNode; title?: string }) {
  return (
    <span className="tag" data-tone={tone} title={title}>
      {children}
    </span>
  );
}

type Words = Record<string, [Tone, string]>;

const STATUS: Words = {
  OPEN: ["busy", "open"],
  ANALYZING: ["busy", "analysing"],
  AWAITING_APPROVAL: ["warn", "awaiting approval"],
  MITIGATING: ["busy", "mitigating"],
  VERIFYING: ["busy", "verifying"],
  CLOSED: ["quiet", "closed"],
};

const OUTCOME: Words = {
  resolved: ["good", "resolved"],
  no_action_needed: ["good", "no action needed"],
  self_recovered: ["good", "recovered by itself"],
  rolled_back: ["warn", "rolled back"],
  failed: ["bad", "failed"],
  rejected: ["quiet", "rejected"],
  escalated: ["warn", "escalated"],
  expired: ["quiet", "expired"],
  fixed_by_person: ["good", "fixed by a person"],
};

const ROUTE: Words = {
  RUN: ["good", "run"],
  RUN_AND_VERIFY: ["good", "run and verify"],
  ASK: ["warn", "ask a person"],
  DRY_RUN: ["quiet", "dry run only"],
  ESCALATE: ["bad", "hand to people"],
};

const SEVERITY: Words = {
  info: ["quiet", "info"],
  warning: ["warn", "warning"],
  critical: ["bad", "critical"],
};

const STEP: Words = {
  success: ["good", "success"],
  skipped: ["quiet", "skipped"],
  failed: ["bad", "failed"],
  timed_out: ["bad", "timed out"],
  stopped: ["warn", "stopped"],
  not_undoable: ["bad", "cannot be undone"],
  would_run: ["quiet", "would run"],
  warned: ["warn", "warned"],
};

const ORDER: Words = {
  released: ["busy", "waiting for the host"],
  delivered: ["busy", "delivered"],
  admitted: ["busy", "running on the host"],
  refused: ["bad", "refused by the host"],
  finished: ["quiet", "finished"],
  withdrawn: ["quiet", "withdrawn"],
};

const APPROVAL: Words = {
  pending: ["warn", "pending"],
  approved: ["good", "approved"],
  denied: ["bad", "denied"],
  expired: ["quiet", "expired"],
  withdrawn: ["quiet", "withdrawn"],
};

const RISK: Words = {
  SAFE: ["good", "safe"],
  WARNING: ["warn", "warning"],
  CRITICAL: ["bad", "critical"],
};

const ALERT: Words = {
  opened: ["busy", "opened an incident"],
  folded: ["quiet", "part of an incident"],
  recovered: ["good", "ended its incident"],
  still_firing: ["quiet", "ended, others still fire"],
  late: ["quiet", "had ended before"],
  unknown_host: ["warn", "names no host of ours"],
  nothing_open: ["quiet", "ended, nothing was open"],
  silenced: ["quiet", "silenced"],
  failed: ["bad", "could not be read"],
  waits: ["busy", "waits its turn"],
};

const WINDOW: Words = {
  active: ["warn", "stands now"],
  waiting: ["quiet", "waits"],
  ended: ["quiet", "ended"],
};

const NOTICE: Words = {
  waiting: ["busy", "waits"],
  sent: ["good", "sent"],
  folded: ["quiet", "told in a digest"],
  dropped: ["quiet", "not needed any more"],
  failed: ["bad", "failed"],
};

const ERRAND: Words = {
  waiting: ["quiet", "waits its turn"],
  working: ["busy", "running"],
  done: ["good", "done"],
  failed: ["bad", "failed"],
  stopped: ["quiet", "stopped"],
};

function worded(words: Words) {
  return function Worded({ of }: { of: string }) {
    const [tone, text] = words[of] ?? ["quiet", of.toLowerCase().replaceAll("_", " ")];
    return <Tag tone={tone}>{text}</Tag>;
  };
}

export const SeverityTag = worded(SEVERITY);
export const StepTag = worded(STEP);
export const OrderTag = worded(ORDER);
export const ApprovalTag = worded(APPROVAL);
export const RiskTag = worded(RISK);
export const RouteTag = worded(ROUTE);
export const AlertTag = worded(ALERT);
export const WindowTag = worded(WINDOW);
export const NoticeTag = worded(NOTICE);
export const ErrandTag = worded(ERRAND);
const StatusTag = worded(STATUS);
const OutcomeTag = worded(OUTCOME);

/** How the incident ended, or where it stands. */
export function StateTag({ incident }: { incident: Pick<Incident, "status" | "outcome"> }) {
  return incident.status === "CLOSED" && incident.outcome !== null ? (
    <OutcomeTag of={incident.outcome} />
  ) : (
    <StatusTag of={incident.status} />
  );
}

export const STATUSES = Object.entries(STATUS).map(([value, [, label]]) => ({ value, label }));
export const OUTCOMES = Object.entries(OUTCOME).map(([value, [, label]]) => ({ value, label }));

export function routeWords(route: Route): string {
  return ROUTE[route]?.[1] ?? route;
}
