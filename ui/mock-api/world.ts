// The pretend control plane: state and the answers to every request of the public API.
import type * as api from "../src/api/types.ts";
import { type Answer, ok, problem, type Said, within } from "./answers.ts";
import { audit, eraseContent } from "./audit.ts";
import { draft, playbookAt, PLAYBOOKS } from "./catalogue.ts";
import { diagnosisOf } from "./diagnoses.ts";
import {
  answerTo, backtestAt, backtestsAt, CHANNELS, drillRun, drillsAt, mayRunAt, noticesAt, reportAt,
} from "./errands.ts";
import { host, judge, outside, series } from "./estate.ts";
import { calibrationOf, packageAt, replayOf, SETTINGS, trendsAt } from "./figures.ts";
import {
  addWindow, breakGlass, decide, handle, preview, settleGlass, stop, type WindowKind,
} from "./handling.ts";
import { HOSTS, hostsAt, keysAt, pageOf } from "./hosts.ts";
import { Log } from "./log.ts";
import { alertsAt, edgesAt, olderThan } from "./past.ts";
import { accountAt, findingsAt, forget, readTokensAt, ROLES, usersAt, whose } from "./people.ts";
import { makeStories } from "./stories.ts";

export type Change = { kind: "incident" | "approval" | "host" | "freeze"; id: string };

export class World {
  readonly log = new Log();
  readonly stories: api.Story[];
  readonly older: api.Incident[];
  freeze: api.Freeze = { frozen: false, by: null, at: null, reason: null };
  estate = HOSTS;
  readonly struckOff = new Set<string>(); // by agent id; listed no more, each still has its page
  readonly forgotten = new Set<string>(); // by name
  signedIn = true;
  stale = false; // the second factor was shown too long ago for what is at stake
  me: api.Me = {
    name: "ana@example.com",
    roles: { "*": "administrator" },
    permissions: Object.fromEntries(
      ["*", "production", "staging", "drill"].map((name) => [name, ROLES.permissions]),
    ),
    evaluation_trust: true,
  };
  emergencies: api.Emergency[] = [];
  provider = "";
  windows: Record<WindowKind, api.Window[]> = { silences: [], maintenance: [] };
  alerts: api.Alert[];
  edges: api.Edge[];
  packages: api.EvidencePackage[];
  drafts: api.DraftDetail[] = [];
  drills: api.DrillList;
  backtests: api.Backtest[];
  source: string | null = "https://prometheus.example.com";
  channels = CHANNELS;
  notices: api.Notice[];
  keys: api.KeyList;
  onChange: (change: Change) => void = () => undefined;
  readonly now: () => Date;

  constructor(now: () => Date = () => new Date()) {
    this.now = now;
    const at = now().getTime();
    this.log.append({
      at: new Date(at - 30 * 86_400_000).toISOString(), kind: "log.started", source: "cp",
      actor: "control plane", incident: "", data: { origin: "sentienguard/mock" },
    });
    const told = makeStories(at, this.log);
    this.stories = [told.mitigating, told.awaiting, told.resolved, told.rolledBack];
    this.older = olderThan(at - 27 * 3_600_000);
    this.alerts = alertsAt(at, told.resolved.incident.id);
    this.edges = edgesAt(at);
    this.keys = keysAt(at);
    this.drills = drillsAt(at);
    this.backtests = backtestsAt(at);
    this.notices = noticesAt(at, told.awaiting.incident.id);
    this.packages = [packageAt(at, "working"), packageAt(at, "done"), packageAt(at, "failed", { detail: "the disk is full" })];
  }

  /** Answer one request; `path` is what follows /api/v1. */
  answer(method: string, path: string, query: URLSearchParams, body: unknown): Answer {
    if (path === "/auth/login") return this.login(body as { name: string; password: string });
    if (path === "/auth/ways") {
      const none = { command_line: [], command_line_at: "" };
      return ok({ provider: this.provider, ...none } satisfies api.LoginWays);
    }
    if (!this.signedIn) return problem(401, "Not signed in", "Sign in first.");
    const [, room = "", id = "", verb = "", , about = ""] = path.split("/").map(decodeURIComponent);
    const read = method === "GET";
    switch (`${method} ${room}`) {
      case "POST auth":
        if (id === "step-up") return this.stepUp(verb, body as api.SecondAnswer);
        this.signedIn = false;
        return { status: 204 };
      case "GET auth":
        return ok(this.me);
      case "GET overview":
        return ok(id === "trends" ? trendsAt(this.now().getTime(), Number(query.get("days") ?? 30)) : this.overview());
      case "GET calibration":
        return ok(calibrationOf(Number(query.get("days") ?? 90), query.get("playbook")));
      case "GET settings":
        return ok(SETTINGS);
      case "GET keys":
        return this.may("change_settings")
          ? ok(this.keys)
          : problem(403, "Not allowed", "Seeing keys takes change_settings in every environment.");
      case "GET users":
        return ok({ items: this.users() });
      case "POST users":
        return forget(this, id);
      case "DELETE users":
        return ok({ ended: 1 });
      case "GET people":
        return ok(whose(this, id));
      case "GET roles":
        return ok(ROLES);
      case "GET read-tokens":
        return ok({ items: readTokensAt(this.now().getTime()) });
      case "GET break-glass":
        return ok({ items: this.emergencies, purposes: ["freeze", "run_playbook"] });
      case "POST break-glass":
        return id === "" ? breakGlass(this, body as Said) : settleGlass(this, id, verb);
      case "GET findings":
        return ok({ items: findingsAt(this.now().getTime()) });
      case "GET account":
        return ok(accountAt(this.now().getTime(), this.me.name));
      case "GET evidence":
        return ok(verb === "download" ? { zip: true } : { items: this.packages });
      case "POST evidence":
        this.packages.unshift(packageAt(this.now().getTime(), "waiting", body as Partial<api.EvidencePackage>));
        return { status: 202, body: this.packages[0] };
      case "GET incidents":
        if (id === "") return ok(this.incidents(query));
        if (verb === "diagnosis") return this.diagnosis(id);
        if (verb === "replay") return this.replay(id, false);
        if (verb === "postmortem") return ok(`# Post-mortem of ${id}\n\nThe disk was full [#20].\n`);
        return verb === "record" ? ok({ incident_id: id }) : this.story(id);
      case "POST incidents":
        if (verb === "replay") return this.replay(id, true);
        return verb === "stop" ? stop(this, id) : handle(this, id, verb, body as Said);
      case "GET alerts":
        return ok({ items: this.alerts, before: null } satisfies api.AlertPage);
      case "GET topology":
        return ok({ items: this.edges });
      case "GET silences":
      case "GET maintenance":
        return ok({ items: this.windows[room as WindowKind] });
      case "POST silences":
      case "POST maintenance":
        return id === "preview" ? ok(preview(this, body as Said)) : addWindow(this, room as WindowKind, body as Said);
      case "DELETE silences":
      case "DELETE maintenance":
        this.windows[room as WindowKind] = this.windows[room as WindowKind].filter((one) => one.id !== id);
        this.onChange({ kind: "freeze", id });
        return ok({});
      case "GET approvals":
        return id === "" ? ok({ items: this.approvals(query.get("status")) }) : this.question(id);
      case "POST approvals":
        return decide(this, id, verb, (body as { note: string }).note);
      case "GET playbooks":
        if (verb === "incidents") return ok(this.decided(id));
        return id === "" ? ok({ items: PLAYBOOKS }) : playbookAt(id, verb);
      case "GET playbook-drafts":
      case "POST playbook-drafts":
      case "PUT playbook-drafts":
      case "DELETE playbook-drafts":
        return draft(this, method, id, verb, body);
      case "POST playbooks":
        return { status: 201, body: this.stories[0]?.incident };
      case "GET hosts":
        if (id === "") return ok(pageOf(this.enrolled(), query));
        if (verb === "outside") return ok(path.endsWith("/readings") ? series(this, query) : outside(this));
        if (verb === "playbooks") {
          const items = mayRunAt(PLAYBOOKS, this.freeze.frozen);
          const starts = items.reduce((sum, one) => sum + one.starts, 0);
          const heard = this.hosts().find((one) => one.agent_id === id)?.last_seen ?? null;
          return ok({ items, starts, max_per_hour: 120, heard_at: heard });
        }
        return verb === "series" ? ok(series(this, query)) : host(this, id);
      case "POST hosts":
        return judge(this, id, verb);
      case "POST ask": {
        const { text = "", incident } = body as Said & { incident?: string };
        const all = this.summaries();
        return ok(answerTo(text, incident ? all.find((one) => one.id === incident) : all[0]));
      }
      case "GET notices":
        return ok({ items: id === "channels" ? this.channels : this.notices });
      case "POST notices":
        return verb === "tickets" ? problem(400, "Not taken", "tickets: no project is called OPS") : { status: 204 };
      case "GET drills":
        return ok(this.drills);
      case "POST drills":
        this.drills.runs.unshift(drillRun(this.now().getTime(), id));
        return { status: 202, body: this.drills.runs[0] };
      case "DELETE drills":
        this.drills.runs = this.drills.runs.filter((one) => one.id !== verb);
        return { status: 204 };
      case "GET backtests":
        return id === "" ? ok({ items: this.backtests, source: this.source }) : this.backtest(id);
      case "POST backtests":
        this.backtests.unshift(backtestAt(this.now().getTime(), 9, body as Partial<api.Backtest>));
        return { status: 202, body: this.backtests[0] };
      case "DELETE backtests":
        this.backtests = this.backtests.filter((one) => one.id !== id);
        return { status: 204 };
      case "GET audit":
      case "POST audit":
        if (id === "entries" && about !== "") return eraseContent(this, Number(verb), about);
        return audit(this, id, verb, query);
      case "GET freeze":
      case "PUT freeze":
      case "DELETE freeze":
        if (!read) this.setFreeze(method === "PUT" ? (body as { reason: string }).reason : null);
        return ok(this.freeze);
      default:
        return problem(404, "No such address", `${method} /api/v1${path} is not part of the API.`);
    }
  }

  private login({ name, password }: { name: string; password: string }): Answer {
    if (password === "wrong") return problem(401, "Not signed in", "Name or password is wrong.");
    this.signedIn = true;
    this.me = { ...this.me, name };
    return ok({ token: "mock", expires_at: this.stamp() });
  }

  summaries(): api.Incident[] {
    return [...this.stories.map((story) => story.incident), ...this.older];
  }

  private incidents(query: URLSearchParams): api.IncidentPage {
    const text = (query.get("text") ?? "").toLowerCase();
    const fits = (one: api.Incident) =>
      (["status", "outcome", "environment", "host", "severity"] as const).every(
        (name) => !query.get(name) || one[name] === query.get(name),
      ) && within(one.opened_at, query) && `${one.summary} ${one.host} ${one.metric} ${one.id}`.toLowerCase().includes(text);
    const from = Number(query.get("cursor") ?? 0);
    const limit = Number(query.get("limit") ?? 50);
    const found = this.summaries().filter(fits);
    return {
      items: found.slice(from, from + limit),
      next_cursor: from + limit < found.length ? String(from + limit) : null,
    };
  }

  private story(id: string): Answer {
    const told = this.stories.find((story) => story.incident.id === id);
    if (told) return ok(told);
    const older = this.older.find((incident) => incident.id === id);
    const pattern = this.stories[2];
    return older && pattern
      ? ok({ ...pattern, incident: older })
      : problem(404, "No such incident", `There is no incident ${id}.`);
  }

  private diagnosis(id: string): Answer {
    const found = this.summaries().find((incident) => incident.id === id);
    return found
      ? ok(diagnosisOf(found))
      : problem(404, "No such incident", `There is no incident ${id}.`);
  }

  private approvals(status: string | null): api.Approval[] {
    return this.stories
      .flatMap(({ approval }) => (approval ? [approval] : []))
      .filter((approval) => !status || approval.status === status);
  }

  private question(id: string): Answer {
    const found = this.approvals(null).find((approval) => approval.id === id);
    return found ? ok(found) : problem(404, "No such approval", `There is no approval ${id}.`);
  }

  private replay(id: string, other: boolean): Answer {
    const story = this.stories.find((one) => one.incident.id === id);
    return story
      ? ok(replayOf(story, other))
      : problem(404, "No such incident", `There is no incident ${id}.`);
  }

  private decided(name: string): api.PlaybookIncidents {
    const told = this.stories.filter(({ decision }) => decision?.playbook === name);
    return {
      items: told.map(({ incident: { id, host, environment, opened_at, status, outcome } }) => ({
        incident: id, host, environment, opened_at, status, outcome,
      })),
      next_cursor: null,
    };
  }

  private backtest(id: string): Answer {
    const found = this.backtests.find((one) => one.id === id);
    if (!found) return problem(404, "No such backtest", `No backtest has the id ${id}.`);
    const report = found.state === "done" ? reportAt(this.now().getTime(), found.days) : null;
    return ok({ ...found, report } satisfies api.BacktestDetail);
  }

  users(): api.User[] {
    return usersAt(this.now().getTime()).filter(({ name }) => !this.forgotten.has(name));
  }

  hosts(): api.Host[] {
    return hostsAt(this.now().getTime(), this.estate);
  }

  enrolled(): api.Host[] {
    return this.hosts().filter(({ agent_id }) => !this.struckOff.has(agent_id));
  }

  private stepUp(verb: string, said: api.SecondAnswer): Answer {
    if (verb !== "second") {
      return ok({
        ticket: "tck_1", ways: ["totp"], party: "", challenge: "", credentials: [], expires_at: this.stamp(120_000),
      } satisfies api.SecondStep);
    }
    if (said.code === "000000") return problem(422, "Not this code", "Wait for the next one and try again.");
    this.stale = false;
    return ok({});
  }

  private setFreeze(reason: string | null) {
    this.freeze =
      reason === null
        ? { frozen: false, by: null, at: null, reason: null }
        : { frozen: true, by: this.me.name, at: this.stamp(), reason };
    this.onChange({ kind: "freeze", id: "" });
  }

  private overview(): api.Overview {
    const all = this.summaries();
    const closed = all.filter((one) => one.status === "CLOSED");
    return {
      open: all.length - closed.length,
      awaiting_approval: this.approvals("pending").length,
      closed_7d: closed.length,
      resolved_7d: closed.filter((one) => one.outcome === "resolved").length,
      unattended_7d: closed.filter((one) => one.outcome === "resolved").length - 3,
      median_seconds_to_resolve_7d: 107,
      hosts: this.enrolled().length,
      silent_hosts: this.enrolled().filter((host) => host.silent).length,
      quarantined_hosts: this.enrolled().filter((host) => host.quarantined !== "").length,
      left_to_people_7d: this.left(),
      frozen: this.freeze.frozen,
    };
  }

  private left(): api.Incident[] {
    const nobody = ({ needs_people, acknowledged_by }: api.Story["care"]) =>
      needs_people && acknowledged_by === null;
    return this.stories
      .filter(({ incident, care }) => incident.status === "CLOSED" && nobody(care))
      .map(({ incident }) => incident);
  }

  private may(permission: string): boolean {
    return Object.values(this.me.permissions).every((granted) => granted.includes(permission));
  }

  stamp(offset = 0): string {
    return new Date(this.now().getTime() + offset).toISOString();
  }
}

