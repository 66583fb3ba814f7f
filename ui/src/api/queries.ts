// Everything the dashboard reads, one definition each. The first word of a key is the noun that a
// live event names (see live.ts).
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { request, requestText, withQuery } from "./client";
import type { Rows } from "./lists";
import type * as api from "./types";

const PAGE = 50; // rows a page
const at = encodeURIComponent;

export type IncidentFilter = {
  status?: string;
  outcome?: string;
  environment?: string;
  host?: string;
  severity?: string;
  since?: string;
  until?: string;
  text?: string;
};

export const me = queryOptions({
  queryKey: ["me"],
  queryFn: () => request<api.Me>("GET", "/auth/me"),
  staleTime: 60_000,
  retry: false,
});

export const account = queryOptions({
  queryKey: ["account"],
  queryFn: () => request<api.Account>("GET", "/account"),
});

export const users = queryOptions({
  queryKey: ["users"],
  queryFn: () => request<api.List<api.User>>("GET", "/users"),
});

export const roles = queryOptions({
  queryKey: ["roles"],
  queryFn: () => request<api.List<api.Role>>("GET", "/roles"),
  staleTime: Infinity, // they change with the release
});

/** Whose a pseudonym of the log is, or what stands there for a name. */
export const whose = (who: string) =>
  queryOptions({
    queryKey: ["people", who],
    queryFn: () => request<api.Whose>("GET", `/people/${encodeURIComponent(who)}`),
  });

export const findings = queryOptions({
  queryKey: ["findings"],
  queryFn: () => request<api.List<api.AccessFinding>>("GET", "/findings"),
});

export const readTokens = queryOptions({
  queryKey: ["read-tokens"],
  queryFn: () => request<api.List<api.ReadToken>>("GET", "/read-tokens"),
});

export const overview = queryOptions({
  queryKey: ["overview"],
  queryFn: () => request<api.Overview>("GET", "/overview"),
  refetchInterval: 30_000, // a host that falls silent makes no event
});

export const trends = (days: number) =>
  queryOptions({
    queryKey: ["trends", days], // a span of days does not change with each event
    queryFn: () => request<api.Trends>("GET", withQuery("/overview/trends", { days })),
    staleTime: 60_000,
    refetchInterval: 300_000,
  });

export const calibration = (days: number, playbookName: string | undefined) =>
  queryOptions({
    queryKey: ["calibration", days, playbookName],
    queryFn: () =>
      request<api.Calibration>(
        "GET",
        withQuery("/calibration", { days, playbook: playbookName }),
      ),
    staleTime: 60_000,
  });

export const settings = queryOptions({
  queryKey: ["settings"],
  queryFn: () => request<api.Settings>("GET", "/settings"),
  staleTime: Infinity, // they change with a restart
});

export const keys = queryOptions({
  queryKey: ["keys"],
  queryFn: () => request<api.KeyList>("GET", "/keys"),
});

export const evidencePackages = queryOptions({
  queryKey: ["evidence"],
  queryFn: () => request<api.List<api.EvidencePackage>>("GET", "/evidence"),
  refetchInterval: ({ state }) =>
    state.data?.items.some((one) => one.state === "waiting" || one.state === "working")
      ? 1_000 // one is being made
      : 60_000,
});

export const replay = (id: string) =>
  queryOptions({
    queryKey: ["replay", id],
    queryFn: () => request<api.Replay>("GET", `/incidents/${at(id)}/replay`),
    enabled: false, // made when somebody asks for it
    staleTime: Infinity,
  });

const incidentRows: Rows<api.Incident> = {
  key: ({ id }) => id,
  rank: ({ opened_at }) => Date.parse(opened_at),
  again: async (id) => (await request<api.Story>("GET", `/incidents/${at(id)}`)).incident,
};

export const incidents = (filter: IncidentFilter, limit = PAGE) =>
  infiniteQueryOptions({
    queryKey: ["incident", "list", filter, limit],
    queryFn: ({ pageParam }) =>
      request<api.IncidentPage>(
        "GET",
        withQuery("/incidents", { ...filter, cursor: pageParam, limit }),
      ),
    meta: { rows: incidentRows },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
  });

export const incident = (id: string) =>
  queryOptions({
    queryKey: ["incident", "story", id],
    queryFn: () => request<api.Story>("GET", `/incidents/${at(id)}`),
  });

export const advice = (id: string) =>
  queryOptions({
    queryKey: ["incident", "advice", id],
    queryFn: () => request<api.AdviceInFull>("GET", `/incidents/${at(id)}/advice`),
  });

export const diagnosis = (id: string) =>
  queryOptions({
    queryKey: ["incident", "diagnosis", id],
    queryFn: () => request<api.Diagnosis>("GET", `/incidents/${at(id)}/diagnosis`),
  });

export const postMortem = (id: string) =>
  queryOptions({
    queryKey: ["incident", "post-mortem", id],
    queryFn: () => requestText(`/incidents/${at(id)}/postmortem`),
  });

export const approvals = (status: string) =>
  queryOptions({
    queryKey: ["approval", status],
    queryFn: () =>
      request<api.List<api.Approval>>("GET", withQuery("/approvals", { status })),
  });

export const approval = (id: string) =>
  queryOptions({
    queryKey: ["approval", "one", id],
    queryFn: () => request<api.Approval>("GET", `/approvals/${at(id)}`),
  });

export const playbooks = queryOptions({
  queryKey: ["playbook"],
  queryFn: () => request<api.List<api.Playbook>>("GET", "/playbooks"),
});

export const playbook = (name: string) =>
  queryOptions({
    queryKey: ["playbook", name],
    queryFn: () => request<api.Playbook>("GET", `/playbooks/${at(name)}`),
  });

export const playbookDrafts = queryOptions({
  queryKey: ["playbook", "drafts"],
  queryFn: () => request<api.List<api.Draft>>("GET", "/playbook-drafts"),
});

export const playbookDraft = (id: string) =>
  queryOptions({
    queryKey: ["playbook", "draft", id],
    queryFn: () => request<api.DraftDetail>("GET", `/playbook-drafts/${at(id)}`),
    refetchInterval: ({ state }) => (state.data?.run && underWay(state.data.run) ? 1_000 : 30_000),
  });

export const playbookVersions = (name: string) =>
  queryOptions({
    queryKey: ["playbook", name, "versions"],
    queryFn: () =>
      request<api.List<api.PlaybookVersion>>("GET", `/playbooks/${at(name)}/versions`),
  });

const decidedRows: Rows<api.PlaybookIncidents["items"][number]> = {
  key: ({ incident }) => incident,
  rank: ({ opened_at }) => Date.parse(opened_at),
};

export const playbookIncidents = (name: string) =>
  infiniteQueryOptions({
    queryKey: ["incident", "of playbook", name],
    queryFn: ({ pageParam }) =>
      request<api.PlaybookIncidents>(
        "GET",
        withQuery(`/playbooks/${at(name)}/incidents`, { cursor: pageParam, limit: 20 }),
      ),
    meta: { rows: decidedRows },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
  });

const HOSTS_PAGE = 200;
const NAMES = 50; // of hosts that are offered to who types one
// What a list of hosts shows; a host may have hundreds of series.
const LISTED = ["system.cpu_percent", "system.memory_percent", "system.disk_usage_percent"]
  .map((metric) => `metric=${metric}`)
  .join("&");

export type HostFilter = { text?: string; environment?: string; state?: string };

export const hosts = ({ text, environment, state: health }: HostFilter) =>
  infiniteQueryOptions({
    // Not "host": each sample of each host is a live event.
    queryKey: ["hosts", { text, environment, health }],
    queryFn: ({ pageParam: cursor }) => {
      const asked = { text, environment, health, cursor, limit: HOSTS_PAGE };
      return request<api.HostPage>("GET", `${withQuery("/hosts", asked)}&${LISTED}`);
    },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
    placeholderData: keepPreviousData, // while somebody types, what was found stays
    // Every page that is there is read again, so many of them less often.
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) > 1 ? 30_000 : 5_000),
  });

/** Hosts whose names somebody may mean. */
export const hostNames = (text: string) =>
  queryOptions({
    queryKey: ["hosts", "names", text],
    queryFn: () =>
      request<api.HostPage>(
        "GET",
        withQuery("/hosts", { text, limit: NAMES, metric: "system.cpu_percent" }),
      ),
    placeholderData: keepPreviousData,
  });

export const host = (agent: string) =>
  queryOptions({
    queryKey: ["host detail", agent],
    queryFn: () => request<api.HostDetail>("GET", `/hosts/${at(agent)}`),
    refetchInterval: 10_000,
  });

export const series = (agent: string, metric: string, subject: string, minutes: number) =>
  queryOptions({
    queryKey: ["series", agent, metric, subject, minutes],
    queryFn: () =>
      request<api.Series>(
        "GET",
        withQuery(`/hosts/${at(agent)}/series`, { metric, subject, minutes }),
      ),
    refetchInterval: 30_000,
  });

export const outsideSeries = (agent: string, text: string) =>
  queryOptions({
    queryKey: ["outside", agent, text],
    queryFn: () =>
      request<api.OutsideSeriesList>("GET", withQuery(`/hosts/${at(agent)}/outside`, { text })),
    refetchInterval: 30_000,
  });

export const outsideReadings = (
  agent: string,
  metric: string,
  labels: string[],
  minutes: number,
) =>
  queryOptions({
    queryKey: ["outside readings", agent, metric, labels, minutes],
    queryFn: () => {
      const named = labels.map((one) => `&label=${encodeURIComponent(one)}`).join("");
      const path = withQuery(`/hosts/${at(agent)}/outside/readings`, { metric, minutes });
      return request<api.Series>("GET", path + named);
    },
    refetchInterval: 30_000,
  });

export const AUDIT_MS = 10_000; // entries make no events: there are too many of them

export const checkpoint = queryOptions({
  queryKey: ["audit", "checkpoint"],
  queryFn: () => request<api.Checkpoint>("GET", "/audit/checkpoint"),
  refetchInterval: AUDIT_MS,
});

export const exposure = queryOptions({
  queryKey: ["audit", "exposure"],
  queryFn: () => request<api.Exposure>("GET", "/audit/exposure"),
  refetchInterval: AUDIT_MS,
});

const entryRows: Rows<api.AuditEntry> = {
  key: ({ index }) => String(index),
  rank: ({ index }) => index,
  page: PAGE,
};

export type EntryFilter = {
  incident?: string;
  kind?: string;
  actor?: string;
  since?: string;
  until?: string;
  entry?: string;
};

export const entries = (filter: EntryFilter) =>
  infiniteQueryOptions({
    queryKey: ["audit", "entries", filter],
    queryFn: ({ pageParam }) =>
      request<api.AuditPage>(
        "GET",
        withQuery("/audit/entries", { ...filter, cursor: pageParam, limit: PAGE }),
      ),
    meta: { rows: entryRows },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
  });

export const proof = (index: number) =>
  queryOptions({
    queryKey: ["proof", index], // a proof stays true, so live events leave it alone
    queryFn: () => request<api.Proof>("GET", `/audit/proof/${index}`),
  });

export const emergencies = queryOptions({
  queryKey: ["break-glass"],
  queryFn: () => request<api.EmergencyList>("GET", "/break-glass"),
  refetchInterval: 30_000, // they end by the clock
});

export const loginWays = queryOptions({
  queryKey: ["login-ways"],
  queryFn: () => request<api.LoginWays>("GET", "/auth/ways"),
});

export const freeze = queryOptions({
  queryKey: ["freeze"],
  queryFn: () => request<api.Freeze>("GET", "/freeze"),
});

const alertRows: Rows<api.Alert> = {
  key: ({ number }) => String(number),
  rank: ({ number }) => number,
};
export const ALERTS_MS = 15_000; // one that opens nothing makes no live event

export const alerts = infiniteQueryOptions({
  queryKey: ["incident", "alerts"], // an alert shows as a change of its incident
  queryFn: ({ pageParam }) =>
    request<api.AlertPage>("GET", withQuery("/alerts", { before: pageParam, limit: PAGE })),
  initialPageParam: null as number | null,
  getNextPageParam: (last) => last.before,
  meta: { rows: alertRows },
});

export type WindowKind = "silences" | "maintenance";

export const windows = (kind: WindowKind, ended: boolean) =>
  queryOptions({
    queryKey: ["freeze", kind, ended],
    queryFn: () =>
      request<api.List<api.Window>>("GET", withQuery(`/${kind}`, { ended: ended ? "true" : null })),
    refetchInterval: 60_000, // they begin and end by the clock
  });

export const topology = (environment: string | undefined, hours: number) =>
  queryOptions({
    queryKey: ["topology", environment, hours],
    queryFn: () => request<api.List<api.Edge>>("GET", withQuery("/topology", { environment, hours })),
    refetchInterval: 60_000,
  });

export const mayRun = (agent: string) =>
  queryOptions({
    queryKey: ["freeze", "may run", agent], // a freeze or a window changes it at once
    queryFn: () => request<api.MayRunList>("GET", `/hosts/${at(agent)}/playbooks`),
    refetchInterval: 60_000,
  });

export const answer = (text: string, incidentId: string) =>
  queryOptions({
    queryKey: ["answer", text, incidentId], // an event asks nobody again: an adviser may have a part
    staleTime: 60_000,
    queryFn: () => request<api.Answer>("POST", "/ask", { text, incident: incidentId }),
  });

export const channels = queryOptions({
  queryKey: ["channels"],
  queryFn: () => request<api.List<api.Channel>>("GET", "/notices/channels"),
  staleTime: Infinity, // they change with a restart
});

export const notices = queryOptions({
  queryKey: ["notices"],
  queryFn: () => request<api.List<api.Notice>>("GET", withQuery("/notices", { limit: 200 })),
  refetchInterval: 10_000,
});

const underWay = ({ state }: { state: string }) => state === "waiting" || state === "working";

export const drills = queryOptions({
  queryKey: ["drills"],
  queryFn: () => request<api.DrillList>("GET", "/drills"),
  refetchInterval: ({ state }) => (state.data?.runs.some(underWay) ? 1_000 : 60_000),
});

export const backtests = queryOptions({
  queryKey: ["backtests"],
  queryFn: () => request<api.BacktestList>("GET", "/backtests"),
  refetchInterval: ({ state }) => (state.data?.items.some(underWay) ? 1_000 : 60_000),
});

export const backtest = (id: string) =>
  queryOptions({
    queryKey: ["backtests", id],
    queryFn: () => request<api.BacktestDetail>("GET", `/backtests/${at(id)}`),
    refetchInterval: ({ state }) => (state.data && underWay(state.data) ? 1_000 : false),
  });
