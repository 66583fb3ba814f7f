// Everything the dashboard reads, one definition each. The first word of a key is the noun that a
// live event names (see live.ts).
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { request, withQuery } from "./client";
import type * as api from "./types";

const PAGE = 50; // rows a page
const at = encodeURIComponent;

export type IncidentFilter = {
  status?: string;
  outcome?: string;
  environment?: string;
  host?: string;
  text?: string;
};

export const me = queryOptions({
  queryKey: ["me"],
  queryFn: () => request<api.Me>("GET", "/auth/me"),
  staleTime: 60_000,
  retry: false,
});

export const overview = queryOptions({
  queryKey: ["overview"],
  queryFn: () => request<api.Overview>("GET", "/overview"),
});

export const incidents = (filter: IncidentFilter, limit = PAGE) =>
  infiniteQueryOptions({
    queryKey: ["incident", "list", filter, limit],
    queryFn: ({ pageParam }) =>
      request<api.IncidentPage>(
        "GET",
        withQuery("/incidents", { ...filter, cursor: pageParam, limit }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
  });

export const incident = (id: string) =>
  queryOptions({
    queryKey: ["incident", "story", id],
    queryFn: () => request<api.Story>("GET", `/incidents/${at(id)}`),
  });

export const approvals = (status: string) =>
  queryOptions({
    queryKey: ["approval", status],
    queryFn: () =>
      request<api.List<api.Approval>>("GET", withQuery("/approvals", { status })),
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

export const hosts = queryOptions({
  queryKey: ["host"],
  queryFn: () => request<api.List<api.Host>>("GET", "/hosts"),
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

export const checkpoint = queryOptions({
  queryKey: ["audit", "checkpoint"],
  queryFn: () => request<api.Checkpoint>("GET", "/audit/checkpoint"),
});

export const entries = (incidentId: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ["audit", "entries", incidentId],
    queryFn: ({ pageParam }) =>
      request<api.AuditPage>(
        "GET",
        withQuery("/audit/entries", { incident: incidentId, cursor: pageParam, limit: PAGE }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
  });

export const proof = (index: number) =>
  queryOptions({
    queryKey: ["proof", index], // a proof stays true, so live events leave it alone
    queryFn: () => request<api.Proof>("GET", `/audit/proof/${index}`),
  });

export const freeze = queryOptions({
  queryKey: ["freeze"],
  queryFn: () => request<api.Freeze>("GET", "/freeze"),
});

export const alerts = infiniteQueryOptions({
  queryKey: ["incident", "alerts"], // an alert shows as a change of its incident
  queryFn: ({ pageParam }) =>
    request<api.AlertPage>("GET", withQuery("/alerts", { before: pageParam, limit: PAGE })),
  initialPageParam: null as number | null,
  getNextPageParam: (last) => last.before,
  refetchInterval: 15_000, // one that opens nothing makes no live event
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
