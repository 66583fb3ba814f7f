// What every answer of the mock is made of, and what requests say.
import type * as api from "../src/api/types.ts";

export type Answer = { status: number; body?: unknown };
export type Said = {
  environment?: string; purpose?: string; to?: string | null; reason?: string; text?: string; note?: string; minutes?: number;
  matchers?: api.Matcher[]; recurrence?: api.Recurrence | null;
};

export const within = (at: string, query: URLSearchParams) =>
  (!query.get("since") || Date.parse(at) >= Date.parse(query.get("since") ?? "")) &&
  (!query.get("until") || Date.parse(at) < Date.parse(query.get("until") ?? ""));

export const ok = (body: unknown): Answer => ({ status: 200, body });
export const problem = (status: number, title: string, detail: string, type = "about:blank"): Answer => ({
  status,
  body: { type, title, status, detail, instance: null },
});
