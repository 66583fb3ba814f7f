// What incidents come from: one that has its cause elsewhere, one where nobody is blamed.
import type * as api from "../src/api/types.ts";

const NONE: api.Diagnosis = {
  incident: "", asked: true, abstained: "", absent: "", confidence: 0, sure: false, first: null,
  runner_up: null, others: [], edges: [], changes: [], blame: null, left_out: [], snapshot: null,
};

export function diagnosisOf(incident: api.Incident): api.Diagnosis {
  if (!incident.metric.startsWith("postgres.")) {
    return {
      ...NONE,
      incident: incident.id,
      abstained: `host:${incident.host} is as usual: there is no symptom to explain`,
    };
  }
  const here = `service:postgresql@${incident.host}`;
  return {
    ...NONE,
    incident: incident.id,
    confidence: 0.83, sure: true,
    first: {
      object: "service:orders", cause: "latency", score: 0.9, share: 1,
      path: ["service:orders", here],
      evidence: ["service.http_ms[orders] went from 20 to 4000", "<b>a line</b> that is text"],
      against: [],
    },
    runner_up: {
      object: here, cause: "saturation", score: 0.13, share: 0.5, path: [here], evidence: [],
      against: ["service:orders moved no later and explains it"],
    },
    others: [
      {
        object: "host:app-1", cause: "cpu", score: 0.04, share: 0.2, path: ["host:app-1", "service:orders", here],
        evidence: [], against: ["its CPU is as usual"],
      },
    ],
    edges: [["service:orders", here], ["host:app-1", "service:orders"]],
    changes: [
      { object: "orders 4.2.0", cause: "deploy", score: 0.7, share: 0, path: [], evidence: ["six minutes before the symptom"], against: [] },
      { object: "flag 7", cause: "flag", score: 0.1, share: 0, path: [], evidence: [], against: ["it names no service"] },
      { object: "none", cause: "", score: 0.05, share: 0, path: [], evidence: [], against: [] },
    ],
    blame: { object: "service:orders", hosts: ["app-1"], confidence: 0.83, is_here: false },
    snapshot: "sha256:0f0b2f53b06c3b6ae44c889d58d662e051e1b4003c32571057048d4894ad1569",
  };
}
