// One request to the control plane. Every answer that is not a success becomes a Problem.

export class Problem extends Error {
  readonly status: number; // 0: the server was not reached
  readonly detail: string;

  constructor(status: number, title: string, detail: string) {
    super(title);
    this.name = "Problem";
    this.status = status;
    this.detail = detail;
  }
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

export async function request<T>(method: Method, path: string, body?: unknown): Promise<T> {
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
  const text = await response.text();
  if (!response.ok) throw problem(response, text);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

function problem(response: Response, text: string): Problem {
  try {
    const told = JSON.parse(text) as { title?: unknown; detail?: unknown };
    return new Problem(
      response.status,
      String(told.title ?? response.statusText),
      typeof told.detail === "string" ? told.detail : "",
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
