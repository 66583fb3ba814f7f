// Opens the whole dashboard at an address, with the mock control plane behind it.
import { createMemoryHistory } from "@tanstack/react-router";
import { render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { vi } from "vitest";
import { World } from "../../mock-api/world";
import { App } from "../App";

export type Asked = { method: string; path: string; headers: Headers; body: unknown };

/** A server-sent event stream whose events the test sends. */
export class Stream extends EventTarget {
  static readonly CLOSED = 2;
  static newest: Stream | undefined;
  readyState = 1;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  constructor() {
    super();
    Stream.newest = this;
    queueMicrotask(() => this.onopen?.());
  }
  send(kind: string, id = "") {
    this.dispatchEvent(new MessageEvent("change", { data: JSON.stringify({ kind, id, at: "" }) }));
  }
  close() {}
}

export function visit(address: string, world = new World()) {
  const asked: Asked[] = [];
  vi.stubGlobal("EventSource", Stream);
  vi.stubGlobal("fetch", async (input: string, options: RequestInit = {}) => {
    const url = new URL(input, "http://mock");
    const body: unknown = options.body ? JSON.parse(String(options.body)) : undefined;
    const method = options.method ?? "GET";
    const path = url.pathname.slice("/api/v1".length);
    asked.push({ method, path, headers: new Headers(options.headers), body });
    const answer = world.answer(method, path, url.searchParams, body);
    return new Response(answer.body === undefined ? null : JSON.stringify(answer.body), {
      status: answer.status,
    });
  });
  const history = createMemoryHistory({ initialEntries: [address] });
  render(<App history={history} />);
  return { world, asked, history, user: userEvent.setup() };
}
