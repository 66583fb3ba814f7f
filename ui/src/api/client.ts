// One request to the control plane. Every answer that is not a success becomes a Problem.
//
// An access token lasts minutes: a 401 is answered by renewing it, once, and asking again. What
// needs a fresh second factor (403 step-up) is asked of the person, and then asked again.

export class Problem extends Error {
  readonly status: number; // 0: the server was not reached
  readonly detail: string;
  readonly kind: string; // the end of the problem's type

  constructor(status: number, title: string, detail: string, kind = "") {
    super(title);
    this.name = "Problem";
    this.status = status;
    this.detail = detail;
    this.kind = kind;
  }
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

const LOCK = "sentienguard-refresh";
const RENEWED = "sentienguard-renewed-at";
const OPEN = ["/auth/login", "/auth/login/second", "/auth/refresh", "/auth/logout"];

let asker: (() => Promise<boolean>) | undefined;

/** Name what asks the person for a second factor; it tells whether one was shown. */
export function onStepUp(ask: (() => Promise<boolean>) | undefined) {
  asker = ask;
  showing = undefined; // who was asked before is gone
}

let showing: Promise<boolean> | undefined;

/** Ask once, for whatever requests need it at a time: a second dialog would replace the first. */
function shown(): Promise<boolean> {
  showing ??= Promise.resolve(asker?.() ?? false).finally(() => {
    showing = undefined;
  });
  return showing;
}

type Read = (response: Response) => Promise<unknown>;

export async function request<T>(
  method: Method,
  path: string,
  body?: unknown,
  read?: Read,
): Promise<T> {
  const began = Date.now();
  try {
    return await once<T>(method, path, body, read);
  } catch (error) {
    if (!(error instanceof Problem) || OPEN.includes(path)) throw error;
    const again =
      (error.status === 401 && (await renewed(began))) ||
      (error.kind === "step-up" && (await shown()));
    if (!again) throw error;
    return once<T>(method, path, body, read);
  }
}

/** Fetch a file, with the same care as anything else: renewed, and a second factor asked for. */
export async function requestFile(path: string): Promise<Blob> {
  return request<Blob>("GET", path, undefined, (response) => response.blob());
}

/** The same of a text that is no JSON. */
export async function requestText(path: string): Promise<string> {
  return request<string>("GET", path, undefined, (response) => response.text());
}

async function once<T>(
  method: Method,
  path: string,
  body?: unknown,
  read?: Read,
): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-Sentienguard-Request"] = "1"; // another site cannot set it
  if (body !== undefined) headers["Content-Type"] = "application/json";

  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers,
      credentials: "same-origin",
      body: body === undefined ? null : JSON.stringify(body),
    });
  } catch {
    throw new Problem(
      0,
      "The control plane does not answer",
      "Check that `sentienguard up` is running and that this machine reaches it.",
    );
  }
  if (response.ok && read !== undefined) return (await read(response)) as T;
  const text = await response.text();
  if (!response.ok) throw problem(response, text);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/**
 * Renew the tokens, one tab at a time: a refresh token counts once, and a second use ends the
 * login. Who waited while another tab renewed has nothing left to do.
 */
async function renewed(since: number): Promise<boolean> {
  const renew = async () => {
    if (lastRenewal() >= since) return true;
    try {
      await once("POST", "/auth/refresh", {});
    } catch {
      return false;
    }
    localStorage.setItem(RENEWED, String(Date.now()));
    return true;
  };
  if (!("locks" in navigator)) return alone(renew);
  return await navigator.locks.request(LOCK, renew);
}

let waiting: Promise<boolean> | undefined;

/** Without locks at least this tab renews once at a time. */
function alone(renew: () => Promise<boolean>): Promise<boolean> {
  waiting ??= renew().finally(() => {
    waiting = undefined;
  });
  return waiting;
}

function lastRenewal(): number {
  return Number(localStorage.getItem(RENEWED) ?? 0);
}

function problem(response: Response, text: string): Problem {
  try {
    const told = JSON.parse(text) as { title?: unknown; detail?: unknown; type?: unknown };
    return new Problem(
      response.status,
      String(told.title ?? response.statusText),
      typeof told.detail === "string" ? told.detail : "",
      typeof told.type === "string" ? told.type.slice(told.type.lastIndexOf(":") + 1) : "",
    );
  } catch {
    return new Problem(response.status, response.statusText || `Status ${response.status}`, "");
  }
}

/** Join a path and those query values that say something. */
export function withQuery(path: string, query: Record<string, string | number | null | undefined>) {
  const filled = Object.entries(query).filter(([, value]) => value != null && value !== "");
  if (filled.length === 0) return path;
  return `${path}?${new URLSearchParams(filled.map(([key, value]) => [key, String(value)]))}`;
}
