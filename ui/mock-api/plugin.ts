// Serves the mock inside Vite: `npm run dev:mock`, and `npm run preview:mock` over the real build
// with the same strict content policy as the server.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Connect, Plugin } from "vite";
import { World } from "./world.ts";

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export function mockApi(): Plugin {
  const world = new World();
  const listeners = new Set<ServerResponse>();
  world.onChange = (change) => {
    const event = JSON.stringify({ ...change, at: new Date().toISOString() });
    for (const listener of listeners) listener.write(`event: change\ndata: ${event}\n\n`);
  };

  const live = (response: ServerResponse) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(": hello\n\n");
    listeners.add(response);
    response.on("close", () => listeners.delete(response));
  };

  const handle: Connect.NextHandleFunction = (request, response, next) => {
    const url = new URL(request.url ?? "/", "http://mock");
    if (!url.pathname.startsWith("/api/v1/")) return next();
    const path = url.pathname.slice("/api/v1".length);
    if (path === "/live" && world.signedIn) return live(response);
    void bodyOf(request).then((body) => {
      const answer = world.answer(request.method ?? "GET", path, url.searchParams, body);
      const type = answer.status < 400 ? "application/json" : "application/problem+json";
      response.writeHead(answer.status, { "Content-Type": type });
      response.end(answer.body === undefined ? "" : JSON.stringify(answer.body));
    });
  };

  return {
    name: "sentienguard-mock-api",
    configureServer: (server) => {
      server.middlewares.use(handle);
    },
    configurePreviewServer: (server) => {
      server.middlewares.use((_, response, next) => {
        response.setHeader("Content-Security-Policy", POLICY);
        next();
      });
      server.middlewares.use(handle);
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  const text = Buffer.concat(chunks).toString("utf-8");
  return text === "" ? undefined : (JSON.parse(text) as unknown);
}
