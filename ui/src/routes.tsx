// The map of the dashboard: every address, the page it shows, and what its query may say.
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  Link,
  lazyRouteComponent,
  redirect,
  type RouterHistory,
  useRouter,
} from "@tanstack/react-router";
import { Problem } from "./api/client";
import { me, type EntryFilter, type IncidentFilter } from "./api/queries";
import { Failure } from "./parts/Loaded";

type Search = Record<string, unknown>;

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  notFoundComponent: () => (
    <main className="login nowhere">
      <h1>There is no such page</h1>
      <p>
        Its address may be of another release. <Link to="/">Back to the overview</Link>
      </p>
    </main>
  ),
  errorComponent: Failed,
});

/** What kept a page from opening; asked again, everything that leads to it is. */
function Failed({ error }: { error: unknown }) {
  const router = useRouter();
  return (
    <main className="login nowhere">
      <Failure
        error={error instanceof Error ? error : new Error(String(error))}
        retry={() => router.invalidate()}
      />
    </main>
  );
}

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  component: lazyRouteComponent(() => import("./pages/Login")),
  validateSearch: (search: Search) => words(search, ["to", "why"]),
});

/** Everything but the login page needs a session. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: lazyRouteComponent(() => import("./parts/Shell")),
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queries.ensureQueryData(me);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      throw redirect({ to: "/login", search: { to: location.href } });
    }
  },
});

const page = <Path extends string>(path: Path, load: Parameters<typeof lazyRouteComponent>[0]) =>
  createRoute({ getParentRoute: () => inside, path, component: lazyRouteComponent(load) });

const overview = createRoute({
  getParentRoute: () => inside,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/Overview")),
  validateSearch: (search: Search) => words(search, ["days"]),
});

const incidents = createRoute({
  getParentRoute: () => inside,
  path: "/incidents",
  component: lazyRouteComponent(() => import("./pages/Incidents")),
  validateSearch: (search: Search): IncidentFilter =>
    words(search, [
      "status", "outcome", "severity", "environment", "host", "since", "until", "text",
    ]),
});
const incident = page("/incidents/$id", () => import("./pages/Incident"));

const approvals = createRoute({
  getParentRoute: () => inside,
  path: "/approvals",
  component: lazyRouteComponent(() => import("./pages/Approvals")),
  validateSearch: (search: Search) => words(search, ["status"]),
});

const approval = page("/approvals/$id", () => import("./pages/Approval"));

const alerts = createRoute({
  getParentRoute: () => inside,
  path: "/alerts",
  component: lazyRouteComponent(() => import("./pages/Alerts")),
  validateSearch: (search: Search) => words(search, ["text"]),
});
const silences = createRoute({
  getParentRoute: () => inside,
  path: "/silences",
  component: lazyRouteComponent(() => import("./pages/Silences")),
  validateSearch: (search: Search) => words(search, ["kind", "ended", "host"]),
});
const topology = createRoute({
  getParentRoute: () => inside,
  path: "/topology",
  component: lazyRouteComponent(() => import("./pages/Topology")),
  validateSearch: (search: Search) => words(search, ["environment", "hours", "service"]),
});
const hosts = createRoute({
  getParentRoute: () => inside,
  path: "/hosts",
  component: lazyRouteComponent(() => import("./pages/Hosts")),
  validateSearch: (search: Search) => words(search, ["text", "state", "environment"]),
});
const host = createRoute({
  getParentRoute: () => inside,
  path: "/hosts/$agent",
  component: lazyRouteComponent(() => import("./pages/Host")),
  validateSearch: (search: Search) => words(search, ["metric", "minutes", "playbook", "outside"]),
});

const playbooks = createRoute({
  getParentRoute: () => inside,
  path: "/playbooks",
  component: lazyRouteComponent(() => import("./pages/Playbooks")),
  validateSearch: (search: Search) => words(search, ["text"]),
});
const playbook = createRoute({
  getParentRoute: () => inside,
  path: "/playbooks/$name",
  component: lazyRouteComponent(() => import("./pages/Playbook")),
  validateSearch: (search: Search) => words(search, ["from", "to"]),
});
const editor = createRoute({
  getParentRoute: () => inside,
  path: "/playbooks/$name/edit",
  component: lazyRouteComponent(() => import("./pages/playbook/Editor")),
  validateSearch: (search: Search) => words(search, ["draft"]),
});

const audit = createRoute({
  getParentRoute: () => inside,
  path: "/audit",
  component: lazyRouteComponent(() => import("./pages/Audit")),
  validateSearch: (search: Search): EntryFilter =>
    words(search, ["incident", "kind", "actor", "since", "until", "entry"]),
});
const proof = page("/audit/proof/$index", () => import("./pages/Proof"));

const evidence = page("/evidence", () => import("./pages/Evidence"));
const calibration = createRoute({
  getParentRoute: () => inside,
  path: "/calibration",
  component: lazyRouteComponent(() => import("./pages/Calibration")),
  validateSearch: (search: Search) => words(search, ["days", "playbook"]),
});
const settings = createRoute({
  getParentRoute: () => inside,
  path: "/settings",
  component: lazyRouteComponent(() => import("./pages/Settings")),
  validateSearch: (search: Search) => words(search, ["text"]),
});

const questions = createRoute({
  getParentRoute: () => inside,
  path: "/questions",
  component: lazyRouteComponent(() => import("./pages/Questions")),
  validateSearch: (search: Search) => words(search, ["text", "incident"]),
});
const notices = createRoute({
  getParentRoute: () => inside,
  path: "/notices",
  component: lazyRouteComponent(() => import("./pages/Notices")),
  validateSearch: (search: Search) => words(search, ["text"]),
});
const drills = createRoute({
  getParentRoute: () => inside,
  path: "/drills",
  component: lazyRouteComponent(() => import("./pages/Drills")),
  validateSearch: (search: Search) => words(search, ["text"]),
});
const backtests = page("/backtests", () => import("./pages/Backtests"));
const backtest = page("/backtests/$id", () => import("./pages/Backtest"));

const users = page("/users", () => import("./pages/Users"));
const account = page("/account", () => import("./pages/Account"));

const tree = root.addChildren([
  login,
  inside.addChildren([
    overview,
    incidents,
    incident,
    approvals,
    approval,
    alerts,
    silences,
    topology,
    hosts,
    host,
    playbooks,
    playbook,
    editor,
    audit,
    proof,
    evidence,
    calibration,
    settings,
    questions,
    notices,
    drills,
    backtests,
    backtest,
    users,
    account,
  ]),
]);

export function makeRouter(queries: QueryClient, history?: RouterHistory) {
  return createRouter({
    routeTree: tree,
    context: { queries },
    defaultPreload: "intent",
    defaultPreloadStaleTime: 0, // TanStack Query decides what is stale
    scrollRestoration: true,
    // What was typed or done for one incident is not shown, nor sent, for the next.
    defaultRemountDeps: ({ params }) => params,
    ...(history ? { history } : {}),
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}

/** Keep the named values of an address that say something; numbers come back as text. */
function words<Name extends string>(search: Search, names: Name[]): { [name in Name]?: string } {
  const kept: { [name in Name]?: string } = {};
  for (const name of names) {
    const value = search[name];
    if ((typeof value === "string" && value !== "") || typeof value === "number") {
      kept[name] = String(value);
    }
  }
  return kept;
}
