// Short names for the nouns of the public API. The shapes come from schema.d.ts, which is generated.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Anomaly = Schemas["Anomaly"];
export type Approval = Schemas["ApprovalView"];
export type AuditEntry = Schemas["AuditEntryView"];
export type AuditPage = Schemas["AuditPage"];
export type Baseline = Schemas["Baseline"];
export type Candidate = Schemas["CandidateView"];
export type Checkpoint = Schemas["CheckpointView"];
export type Confidence = Schemas["ConfidenceView"];
export type Decision = Schemas["DecisionView"];
export type Evidence = Schemas["EvidenceView"];
export type Freeze = Schemas["FreezeView"];
export type Host = Schemas["HostView"];
export type Incident = Schemas["IncidentSummary"];
export type IncidentPage = Schemas["IncidentPage"];
export type Me = Schemas["Me"];
export type Order = Schemas["OrderView"];
export type Overview = Schemas["Overview"];
export type Playbook = Schemas["PlaybookView"];
export type Proof = Schemas["ProofView"];
export type Route = Decision["route"];
export type Score = Schemas["Score"];
export type Series = Schemas["SeriesView"];
export type Step = Schemas["StepView"];
export type Story = Schemas["IncidentStory"];
export type TimelineEntry = Schemas["TimelineEntry"];
export type Verdict = Schemas["VerdictView"];
export type Verification = Schemas["VerificationView"];
export type List<T> = { items: T[] };
