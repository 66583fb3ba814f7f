// The pretend control plane: state and the answers to every request of the public API.
import type * as api from "../src/api/types.ts";
import { diagnosisOf } from "./diagnoses.ts";
import {
  answerTo, backtestAt, backtestsAt, CHANNELS, drillRun, drillsAt, mayRunAt, noticesAt, reportAt,
} from "./errands.ts";
import { draftOf, judged, proofAt, takenOf } from "./drafts.ts";
import { calibrationOf, packageAt, replayOf, SETTINGS, trendsAt, versionsOf } from "./figures.ts";
import { HOSTS, hostsAt, keysAt } from "./hosts.ts";
import { Log } from "./log.ts";
import { accountAt, findingsAt, readTokensAt, ROLES, usersAt } from "./people.ts";
import { CACHE, DISK, makeStories, playbookDigest, POOL, readings, RESTART } from "./stories.ts";

export type Answer = { status: number; body?: unknown };
export type Change = { kind: "incident" | "approval" | "host" | "freeze" | "audit"; id: string };

type Kind = "silences" | "maintenance";
type Said = {
  environment?: string; purpose?: string; to?: string | null; reason?: string; text?: string; note?: string; minutes?: number;
  matchers?: api.Matcher[]; recurrence?: api.Recurrence | null;
};

export class World {
  readonly log = new Log();
  readonly stories: api.Story[];
  readonly older: api.Incident[];
  freeze: api.Freeze = { frozen: false, by: null, at: null, reason: null };
  estate = HOSTS;
  readonly struckOff = new Set<string>(); // by agent id; listed no more, each still has its page
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
  windows: Record<Kind, api.Window[]> = { silences: [], maintenance: [] };
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
  private readonly now: () => Date;

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
    const [, room = "", id = "", verb = ""] = path.split("/").map(decodeURIComponent);
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
        return ok({ items: usersAt(this.now().getTime()) });
      case "GET roles":
        return ok(ROLES);
      case "GET read-tokens":
        return ok({ items: readTokensAt(this.now().getTime()) });
      case "GET break-glass":
        return ok({ items: this.emergencies, purposes: ["freeze", "run_playbook"] });
      case "POST break-glass":
        return id === "" ? this.breakGlass(body as Said) : this.settleGlass(id, verb);
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
        return verb === "stop" ? this.stop(id) : this.handle(id, verb, body as Said);
      case "GET alerts":
        return ok({ items: this.alerts, before: null } satisfies api.AlertPage);
      case "GET topology":
        return ok({ items: this.edges });
      case "GET silences":
      case "GET maintenance":
        return ok({ items: this.windows[room as Kind] });
      case "POST silences":
      case "POST maintenance":
        return id === "preview" ? ok(this.preview(body as Said)) : this.addWindow(room as Kind, body as Said);
      case "DELETE silences":
      case "DELETE maintenance":
        this.windows[room as Kind] = this.windows[room as Kind].filter((one) => one.id !== id);
        this.onChange({ kind: "freeze", id });
        return ok({});
      case "GET approvals":
        return ok({ items: this.approvals(query.get("status")) });
      case "POST approvals":
        return this.decide(id, verb, (body as { note: string }).note);
      case "GET playbooks":
        if (verb === "incidents") return ok(this.decided(id));
        return id === "" ? ok({ items: PLAYBOOKS }) : this.playbook(id, verb);
      case "GET playbook-drafts":
      case "POST playbook-drafts":
      case "PUT playbook-drafts":
      case "DELETE playbook-drafts":
        return this.draft(method, id, verb, body);
      case "POST playbooks":
        return { status: 201, body: this.stories[0]?.incident };
      case "GET hosts":
        if (id === "") return ok({ items: this.enrolled() });
        if (verb === "outside") return ok(path.endsWith("/readings") ? this.series(query) : this.outside());
        if (verb === "playbooks") return ok({ items: mayRunAt(PLAYBOOKS, this.freeze.frozen) });
        return verb === "series" ? ok(this.series(query)) : this.host(id);
      case "POST hosts":
        return this.judge(id, verb);
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
        return this.audit(id, verb, query);
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

  private summaries(): api.Incident[] {
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

  private stop(id: string): Answer {
    const story = this.stories.find((one) => one.incident.id === id);
    if (!story?.order) return problem(409, "Nothing runs", "This incident has no running order.");
    story.order.stop_requested_by = this.me.name;
    this.onChange({ kind: "incident", id });
    return { status: 202 };
  }

  private handle(id: string, verb: string, said: Said): Answer {
    const story = this.stories.find((one) => one.incident.id === id);
    if (!story) return problem(404, "No such incident", `There is no incident ${id}.`);
    const { care } = story;
    const by = this.me.name;
    const at = this.stamp();
    if (verb === "acknowledge") Object.assign(care, { acknowledged_by: by, acknowledged_at: at });
    if (verb === "assign") Object.assign(care, { assigned_to: said.to, assigned_by: by, assigned_at: at });
    if (verb === "close") {
      Object.assign(care, { settled_by: by, settled_at: at, settled_because: said.reason, needs_people: false });
      if (story.incident.status !== "CLOSED") {
        Object.assign(story.incident, { status: "CLOSED", outcome: "fixed_by_person", closed_at: at });
        if (story.approval) story.approval.status = "withdrawn";
      }
    }
    if (verb === "notes") {
      story.timeline.push({
        index: 900 + story.timeline.length, at, stage: "decide", kind: "incident.noted", source: "cp",
        actor: by, title: said.text ?? "", data: { text: said.text ?? "" },
      });
    }
    this.onChange({ kind: "incident", id });
    if (verb !== "reopen") return ok(care);
    const other = this.stories[1]?.incident ?? story.incident;
    care.reopened_as = other.id;
    return ok(other);
  }

  private preview({ matchers = [], recurrence }: Said): api.Preview {
    const place = matchers.find(({ label }) => label === "host");
    const fits = (name: string) =>
      !place || (place.comparison === "=~" ? new RegExp(`^(?:${place.value})$`).test(name) : name === place.value);
    const hosts = this.enrolled().map(({ host }) => host).filter(fits);
    const found = this.summaries().filter(({ host }) => fits(host)).slice(0, 20);
    const start = this.now().getTime() + 3 * 86_400_000;
    return {
      hosts, hosts_total: hosts.length,
      open_incidents: found.filter(({ status }) => status !== "CLOSED"),
      recent_incidents: found.filter(({ status }) => status === "CLOSED"),
      spans: recurrence
        ? [0, 1].map((week) => ({
            starts_at: new Date(start + week * 604_800_000).toISOString(),
            ends_at: new Date(start + week * 604_800_000 + recurrence.minutes * 60_000).toISOString(),
          }))
        : [],
    };
  }

  private addWindow(kind: Kind, said: Said): Answer {
    const { matchers = [], recurrence = null, minutes = 60, reason = "" } = said;
    if (matchers.some(({ comparison, value }) => comparison.endsWith("~") && value.includes("+)+"))) {
      return problem(422, "Unprocessable", "a regular expression must not repeat a repetition");
    }
    const made: api.Window = {
      id: `${kind === "silences" ? "sil" : "mnt"}_${this.windows[kind].length + 1}`,
      matchers, recurrence, reason, by: this.me.name, state: recurrence ? "waiting" : "active",
      starts_at: this.stamp(), ends_at: this.stamp(minutes * 60_000),
      next_starts_at: this.stamp(recurrence ? 86_400_000 : 0), next_ends_at: this.stamp(minutes * 60_000),
    };
    this.windows[kind].push(made);
    this.onChange({ kind: "freeze", id: made.id });
    return { status: 201, body: made };
  }

  private approvals(status: string | null): api.Approval[] {
    return this.stories
      .flatMap(({ approval }) => (approval ? [approval] : []))
      .filter((approval) => !status || approval.status === status);
  }

  private decide(id: string, verb: string, note: string): Answer {
    const story = this.stories.find(({ approval }) => approval?.id === id);
    const approval = story?.approval;
    if (!story || !approval) return problem(404, "No such approval", `There is no approval ${id}.`);
    if (approval.status !== "pending") {
      return problem(409, "Already decided", `${approval.decided_by} has ${approval.status} it.`);
    }
    const approved = verb === "approve";
    story.approval = {
      ...approval, note, status: approved ? "approved" : "denied",
      decided_by: this.me.name, decided_at: this.stamp(),
      agreements: approved && approval.needed > 1
        ? [...approval.agreements, { by: this.me.name, at: this.stamp(), note }]
        : approval.agreements,
    };
    story.incident.status = approved ? "MITIGATING" : "CLOSED";
    story.incident.outcome = approved ? null : "rejected";
    this.onChange({ kind: "approval", id });
    this.onChange({ kind: "incident", id: story.incident.id });
    return ok(story.approval);
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

  private host(agent: string): Answer {
    const found = this.hosts().find(({ agent_id }) => agent_id === agent);
    const stopped = [
      { metric: "service.http_ms", subject: "checkout", last_at: this.stamp(-3_600_000), value: 3.4 },
    ];
    return found
      ? ok({ ...found, stopped: found.silent ? [] : stopped, centre_root_version: 3 } satisfies api.HostDetail)
      : problem(404, "No such host", `No host has the agent id ${agent}.`);
  }

  private backtest(id: string): Answer {
    const found = this.backtests.find((one) => one.id === id);
    if (!found) return problem(404, "No such backtest", `No backtest has the id ${id}.`);
    const report = found.state === "done" ? reportAt(this.now().getTime(), found.days) : null;
    return ok({ ...found, report } satisfies api.BacktestDetail);
  }

  private draft(method: string, id: string, verb: string, body: unknown): Answer {
    if (id === "" && method === "GET") return ok({ items: this.drafts });
    if (id === "") {
      const found = PLAYBOOKS.find(({ name }) => name === (body as { name: string }).name);
      if (!found) return problem(422, "Unprocessable", "The mock begins from what is listed.");
      this.drafts = [draftOf(found, yaml(found), this.stamp(), this.me.name), ...this.drafts];
      return { status: 201, body: this.drafts[0] };
    }
    const found = this.drafts.find((one) => one.id === id);
    if (!found) return problem(404, "Not found", `No draft has the id ${id}.`);
    const put = (more: Partial<api.DraftDetail>): Answer => {
      const changed = judged({ ...found, ...more });
      this.drafts = this.drafts.map((one) => (one.id === id ? changed : one));
      return ok(changed);
    };
    if (verb === "signed") {
      if ((body as { forged?: boolean }).forged) {
        return problem(422, "Unprocessable", "nothing was taken over: rule 5: 0 of 1 trusted keys signed it");
      }
      put({ state: "taken_over", ended_by: this.me.name, ended_at: this.stamp() });
      return ok(takenOf({ ...found, state: "taken_over" }));
    }
    if (verb === "unsigned") return ok({ v: 1 });
    if (verb === "proof") {
      put({ proof: proofAt(this.stamp(), this.me.name) });
      return { status: 202, body: {} };
    }
    if (method === "GET") return ok(found);
    if (method === "DELETE") return put({ state: "dropped", ended_by: this.me.name, ended_at: this.stamp() });
    const said = body as { yaml: string; case: string; revision: number };
    if (said.revision !== found.revision) return problem(409, "Conflict", `draft ${id} is at revision ${found.revision}`);
    return put({ ...said, revision: found.revision + 1, proof: null, changed_by: this.me.name });
  }

  private playbook(name: string, verb: string): Answer {
    const found = PLAYBOOKS.find((playbook) => playbook.name === name);
    if (found && verb === "versions") return ok({ items: versionsOf(found, yaml(found)) });
    return found
      ? ok({ ...found, yaml: yaml(found) })
      : problem(404, "No such playbook", `The signed catalogue holds no ${name}.`);
  }

  private hosts(): api.Host[] {
    return hostsAt(this.now().getTime(), this.estate);
  }

  private enrolled(): api.Host[] {
    return this.hosts().filter(({ agent_id }) => !this.struckOff.has(agent_id));
  }

  /** Release a host or strike it off; with `stale` the second factor is asked for first. */
  private judge(agent: string, verb: string): Answer {
    const found = this.hosts().find(({ agent_id }) => agent_id === agent);
    if (!found) return problem(404, "No such host", `No host has the agent id ${agent}.`);
    if (this.stale) {
      return problem(403, "Show that it is you", "This needs your second factor again.", "urn:sentienguard:problem:step-up");
    }
    if (verb === "release") {
      this.estate = this.estate.map((one) => (one.agent_id === agent ? { ...one, quarantined: "" } : one));
    } else {
      this.struckOff.add(agent);
      const struck_off = this.now().toISOString();
      this.estate = this.estate.map((one) => (one.agent_id === agent ? { ...one, struck_off } : one));
    }
    this.onChange({ kind: "host", id: agent });
    return this.host(agent);
  }

  private stepUp(verb: string, said: api.SecondAnswer): Answer {
    if (verb !== "second") {
      return ok({
        ticket: "tck_1", ways: ["totp"], party: "", challenge: "", credentials: [], expires_at: this.stamp(120_000),
      } satisfies api.SecondStep);
    }
    if (said.code === "000000") return problem(401, "Not this code", "Wait for the next one and try again.");
    this.stale = false;
    return ok({});
  }

  private series(query: URLSearchParams): api.Series {
    const mean = query.get("metric") === "system.disk_usage_percent" ? 61.2 : 42.3;
    const minutes = Number(query.get("minutes") ?? 60);
    const start = this.now().getTime() - minutes * 60_000;
    const part = 1_800_000; // half an hour of each day has its own
    const parts = [start];
    for (let at = (Math.floor(start / part) + 1) * part; at < this.now().getTime(); at += part) parts.push(at);
    return {
      metric: query.get("metric") ?? "",
      subject: query.get("subject") ?? "",
      points: readings(this.now().getTime(), mean, 4, mean + 3, minutes),
      baseline: { mean, stddev: 4.2, p50: mean, p95: mean + 7, p99: mean + 9, samples: 10_080, seasonal: true },
      band: parts.map((at) => ({
        at: new Date(at).toISOString(), mean: mean + 9 * Math.sin((at / 86_400_000) * 2 * Math.PI), stddev: 4.2,
      })),
    };
  }

  private outside(): api.OutsideSeriesList {
    const baseline = { mean: 0.8, stddev: 0.1, p50: 0.8, p95: 1, p99: 1.1, samples: 4032, seasonal: true };
    const one = { metric: "node_load1", labels: { environment: "production", job: "node" }, value: 0.83 };
    const late = { metric: "queue_depth", labels: { environment: "production", job: "app" }, value: 17 };
    return {
      items: [
        { ...late, at: this.stamp(-3_600_000), stopped_since: this.stamp(-3_600_000), baseline: null },
        { ...one, at: this.stamp(-4000), stopped_since: null, baseline },
      ],
      total: 2,
      stopped: 1,
    };
  }

  private audit(what: string, index: string, query: URLSearchParams): Answer {
    if (what === "checkpoint") return ok(this.log.checkpoint(this.stamp(-9000)));
    if (what === "exposure") return ok(this.log.exposure(this.stamp(-11_400)));
    if (what === "verify") {
      return ok({
        passed: true, entries: this.log.leaves.length, seconds: 0.012,
        findings: [
          { check: "tree", passed: true, detail: "every tile hashes to the checkpoint's root" },
          { check: "sources", passed: true, detail: "no source left out a number" },
          { check: "signatures", passed: true, detail: "log key and 2 witnesses" },
        ],
      } satisfies api.Verification);
    }
    if (what === "proof") {
      return Number(index) < this.log.leaves.length
        ? ok(this.log.proof(Number(index)))
        : problem(404, "No such entry", `The log ends before entry ${index}.`);
    }
    const incident = query.get("incident");
    const found = this.log.leaves
      .map((_, at) => this.log.entry(at))
      .filter((entry) => !incident || entry.incident === incident)
      .filter(({ kind }) => kind.startsWith(query.get("kind") ?? ""))
      .filter(({ actor }) => !query.get("actor") || actor === query.get("actor"))
      .filter(({ at }) => within(at, query))
      .filter((entry) => !query.get("entry") || entry.index <= Number(query.get("entry")))
      .reverse();
    const from = Number(query.get("cursor") ?? 0);
    const limit = Math.min(Number(query.get("limit") ?? 50), 20);
    return ok({
      items: found.slice(from, from + limit),
      next_cursor: from + limit < found.length ? String(from + limit) : null,
    } satisfies api.AuditPage);
  }

  private breakGlass(said: Said): Answer {
    const made: api.Emergency = {
      id: `brk_${this.emergencies.length}`, user: this.me.name, environment: said.environment ?? "",
      purpose: said.purpose ?? "", reason: said.reason ?? "", minutes: said.minutes ?? 30,
      phase: "asked", asked_at: this.stamp(0), expires_at: this.stamp(900_000), agreed_by: null,
      agreed_at: null, ends_at: null, ended_by: null, ended_at: null,
    };
    this.emergencies.unshift(made);
    return { status: 201, body: made };
  }

  private settleGlass(id: string, verb: string): Answer {
    const at = this.emergencies.findIndex((one) => one.id === id);
    const found = this.emergencies[at];
    if (found === undefined) return problem(422, "No such emergency", id);
    const now: api.Emergency = verb === "agree"
      ? { ...found, phase: "standing", agreed_by: this.me.name, ends_at: this.stamp(found.minutes * 60_000) }
      : { ...found, phase: "ended", ended_by: this.me.name, ended_at: this.stamp(0) };
    this.emergencies[at] = now;
    return ok(now);
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

  private stamp(offset = 0): string {
    return new Date(this.now().getTime() + offset).toISOString();
  }
}

const within = (at: string, query: URLSearchParams) =>
  (!query.get("since") || Date.parse(at) >= Date.parse(query.get("since") ?? "")) &&
  (!query.get("until") || Date.parse(at) < Date.parse(query.get("until") ?? ""));

const ok = (body: unknown): Answer => ({ status: 200, body });
const problem = (status: number, title: string, detail: string, type = "about:blank"): Answer => ({
  status,
  body: { type, title, status, detail, instance: null },
});

function alertsAt(now: number, incident: string): api.Alert[] {
  const one = (number: number, name: string, more: Partial<api.Alert>): api.Alert => ({
    number, name, sender: "alertmanager", status: "firing", environment: "production",
    labels: { alertname: name, instance: "prod-db-03:9100", severity: "critical" },
    reason: `${name} on prod-db-03`, starts_at: new Date(now - 600_000).toISOString(),
    received_at: new Date(now - number * 60_000).toISOString(), result: "folded", incident, ...more,
  });
  return [
    one(1, "DiskWillFill", { result: "opened", reason: "/var is full in two hours" }),
    one(2, "HighLatency", {
      sender: "grafana", result: "silenced", incident: null,
      labels: { alertname: "HighLatency", service: "checkout", team: "shop", zone: "b", dc: "fra", rack: "7", slot: "3" },
    }),
    one(3, "DiskWillFill", { status: "resolved", result: "recovered" }),
    one(4, "PodCrashing", { sender: "datadog", result: "unknown_host", incident: null }),
    one(5, "JustCame", { sender: "", result: null, incident: null }),
  ];
}

function edgesAt(now: number): api.Edge[] {
  const edge = (caller: string, callee: string, kind: api.Edge["kind"], calls: number): api.Edge => ({
    environment: "production", caller, callee, kind, calls,
    first_seen: new Date(now - 86_400_000).toISOString(), last_seen: new Date(now - 5000).toISOString(),
  });
  return [
    edge("frontend", "checkout", "request", 90_210), edge("frontend", "catalogue", "request", 120_004),
    edge("checkout", "orders-db", "database", 45_100), edge("checkout", "payments", "request", 44_800),
    edge("payments", "receipts", "message", 44_120), edge("catalogue", "catalogue-cache", "database", 310_000),
    edge("receipts", "checkout", "request", 12), edge("catalogue", "catalogue", "request", 7),
  ];
}

function olderThan(before: number): api.Incident[] {
  const outcomes = ["resolved", "resolved", "no_action_needed", "escalated", "resolved", "self_recovered", "failed"];
  return Array.from({ length: 64 }, (_, n): api.Incident => {
    const opened = before - n * 2.3 * 3_600_000;
    const stamp = new Date(opened).toISOString().replaceAll(/[-:]/g, "");
    const took = 40 + ((n * 37) % 200);
    const cpu = n % 3 === 0;
    return {
      id: `inc_${stamp.slice(0, 8)}_${stamp.slice(9, 15)}_${(0xabc000 + n).toString(16).padStart(8, "0")}`,
      host: HOSTS[n % HOSTS.length]?.host ?? "",
      environment: HOSTS[n % HOSTS.length]?.environment ?? "",
      status: "CLOSED",
      outcome: outcomes[n % outcomes.length] ?? "resolved",
      severity: n % 4 === 0 ? "critical" : "warning",
      metric: cpu ? "system.cpu_percent" : "system.disk_usage_percent",
      subject: cpu ? "" : "/var",
      value: 86 + (n % 13),
      summary: cpu ? "CPU is busier than usual" : "Disk /var is filling up",
      opened_at: new Date(opened).toISOString(),
      closed_at: new Date(opened + took * 1000).toISOString(),
      duration_s: took,
      earlier: [],
    };
  });
}

function playbook(name: string, version: string, digest: string, description: string, more: Partial<api.Playbook>): api.Playbook {
  return {
    name, version, digest, description, risk: "SAFE", system: "linux", resource: "disk", symptom: "disk_full",
    approval_required: false, steps: [], parameters: [], runs: 0, resolved: 0, yaml: null, ...more,
  };
}

const PLAYBOOKS: api.Playbook[] = [
  playbook("disk_cleanup_prod_db", "1.4.2", DISK, "Free space on a volume without touching data files.", {
    steps: ["clear_old_temp_files", "rotate_logs", "prune_archives"], runs: 41, resolved: 40,
    parameters: [{ name: "mount", type: "mountpoint", description: "the volume that is full", default: null }],
  }),
  playbook("service_restart", "2.1.0", RESTART, "Restart a hung service behind a load balancer.", {
    risk: "WARNING", resource: "service", symptom: "service_hung", runs: 12, resolved: 10,
    steps: ["take_out_of_pool", "drop_connections", "restart"],
  }),
  playbook("postgres_connection_reset", "1.2.0", POOL, "End idle sessions of one database.", {
    risk: "CRITICAL", system: "postgresql", resource: "connections", symptom: "pool_exhausted", approval_required: true,
    steps: ["end_idle_sessions"], runs: 3, resolved: 3,
  }),
  playbook("cache_trim", "1.0.3", CACHE, "Evict cold keys of a cache.", { resource: "memory", symptom: "memory_high", steps: ["evict"] }),
  playbook("log_rotation_force", "1.1.0", playbookDigest("b2"), "Rotate logs now.", { steps: ["rotate_logs"], runs: 7, resolved: 6 }),
];

function yaml(of: api.Playbook): string {
  const steps = of.steps.map((step) => `  - name: ${step}\n    timeout: 60s\n`).join("");
  return `name: ${of.name}\nversion: ${of.version}\ndescription: ${of.description}\nrisk: ${of.risk}\nslots:\n  system: ${of.system}\n  resource: ${of.resource}\n  symptom: ${of.symptom}\nsteps:\n${steps}approval_gate:\n  required: ${of.approval_required}\n`;
}
