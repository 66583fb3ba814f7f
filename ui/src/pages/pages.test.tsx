// Every page, opened at its address against the mock control plane.
import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test, vi } from "vitest";
import { World } from "../../mock-api/world";
import { Stream, visit } from "../testing/visit";
import { ownAddress } from "./Login";

const heading = (name: string | RegExp) => screen.findByRole("heading", { level: 1, name });
const world = () => new World();
const [MITIGATING, AWAITING, RESOLVED, ROLLED_BACK] = [0, 1, 2, 3];
const storyOf = (of: World, which: number) => {
  const story = of.stories[which];
  if (!story) throw new Error(`the mock tells no story ${which}`);
  return { story, address: `/incidents/${story.incident.id}` };
};

describe("login", () => {
  test("a visitor without a session is led to the login page and then to where they wanted to go", async () => {
    const there = world();
    there.signedIn = false;
    const { user, history } = visit("/hosts?text=db", there);
    await user.type(await screen.findByLabelText(/Name/), "ana@example.com");
    await user.type(screen.getByLabelText(/Password/, { selector: "input" }), "correct horse battery");
    await user.click(screen.getByRole("button", { name: "Sign in" }));
    await heading("Hosts");
    expect(history.location.href).toBe("/hosts?text=db");
  });

  test("a wrong password says so and keeps the form", async () => {
    const there = world();
    there.signedIn = false;
    const { user } = visit("/login", there);
    await user.type(await screen.findByLabelText(/Name/), "ana@example.com");
    await user.type(screen.getByLabelText(/Password/, { selector: "input" }), "wrong");
    await user.click(screen.getByRole("button", { name: "Sign in" }));
    expect((await screen.findByRole("alert")).textContent).toContain("do not belong together");
  });

  test.each([
    ["/incidents?text=disk", "/incidents?text=disk"],
    ["//evil.example/x", "/"],
    ["https://evil.example/", "/"],
    ["javascript:alert(1)", "/"],
    ["/\\evil.example", "/"],
    ["/login?to=/login", "/"],
    [undefined, "/"],
  ])("after a login the address %s leads to %s", (to, expected) => {
    expect(ownAddress(to)).toBe(expected);
  });

  test("signing out leads to the login page", async () => {
    const { user } = visit("/");
    await user.click(await screen.findByRole("button", { name: "Sign out" }));
    expect(await screen.findByRole("button", { name: "Sign in" })).toBeTruthy();
  });
});

describe("frame", () => {
  test("freezing needs a reason, is announced on every page and can be taken back", async () => {
    const { user, asked } = visit("/playbooks");
    await user.click(await screen.findByRole("button", { name: "Freeze" }));
    const all = screen.getByRole("button", { name: "Freeze everything" });
    expect(all).toHaveProperty("disabled", true);
    await user.type(screen.getByLabelText(/Reason/), "database migration");
    await user.click(all);
    expect(await screen.findByText(/nothing is executed on any host/)).toBeTruthy();
    expect(screen.getByText(/database migration/)).toBeTruthy();
    const put = asked.find(({ method }) => method === "PUT");
    expect(put?.body).toEqual({ reason: "database migration" });
    expect(put?.headers.get("X-Sentienguard-Request")).toBe("1");

    await user.click(screen.getByRole("button", { name: "Unfreeze" }));
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Unfreeze" }));
    await waitFor(() => expect(screen.queryByText(/nothing is executed/)).toBeNull());
  });

  test("evaluation trust is said on every page, and only where it holds", async () => {
    visit("/hosts");
    expect(await screen.findByText("Evaluation trust:")).toBeTruthy();
  });

  test("without evaluation trust there is no banner", async () => {
    const there = world();
    there.me.evaluation_trust = false;
    visit("/hosts", there);
    await heading("Hosts");
    expect(screen.queryByText("Evaluation trust:")).toBeNull();
  });

  test("an observer sees the kill switch but cannot use it", async () => {
    const there = world();
    there.me.permissions = { "*": ["view"] };
    visit("/", there);
    expect(await screen.findByRole("button", { name: "Freeze" })).toHaveProperty("disabled", true);
  });

  test("a live event reads again what the page shows", async () => {
    const { world: there } = visit("/incidents");
    await screen.findByText("Memory runs short on staging-cache-02");
    const { story } = storyOf(there, MITIGATING);
    there.stories[MITIGATING] = {
      ...story,
      incident: { ...story.incident, status: "CLOSED", outcome: "failed", summary: "It got worse" },
    };
    Stream.newest?.send("incident", story.incident.id);
    expect(await screen.findByText("It got worse")).toBeTruthy();
  });

  test("a session that ended leads to the login page and remembers the address", async () => {
    const { world: there, history } = visit("/incidents?status=MITIGATING");
    await screen.findByText("Memory runs short on staging-cache-02");
    there.signedIn = false;
    Stream.newest?.send("incident");
    expect(await screen.findByRole("button", { name: "Sign in" })).toBeTruthy();
    expect(history.location.search).toContain(encodeURIComponent("/incidents?status=MITIGATING"));
  });

  test("an unknown address says so", async () => {
    visit("/nowhere");
    expect(await screen.findByText("There is no such page")).toBeTruthy();
  });
});

test("the overview shows the numbers, what waits and the latest incidents", async () => {
  visit("/");
  await heading("Overview");
  expect(await screen.findByText("Awaiting approval")).toBeTruthy();
  expect(await screen.findByText("1 min 47 s", { selector: "strong" })).toBeTruthy();
  expect(await screen.findByRole("button", { name: "Approve" })).toBeTruthy();
  expect(await screen.findByText("Disk /var is filling up on prod-db-03")).toBeTruthy();
});

describe("incidents", () => {
  test("older ones come page by page", async () => {
    const { user } = visit("/incidents");
    const table = await screen.findByRole("region", { name: "Incidents" });
    expect(within(table).getAllByRole("row")).toHaveLength(51);
    await user.click(screen.getByRole("button", { name: "Show older" }));
    await waitFor(() => expect(within(table).getAllByRole("row")).toHaveLength(69));
    expect(screen.queryByRole("button", { name: "Show older" })).toBeNull();
  });

  test("filters live in the address and are read from it", async () => {
    const { user, history } = visit("/incidents?status=AWAITING_APPROVAL");
    await screen.findByText(/Connection pool/);
    expect(screen.queryByText(/Disk \/var is filling up on/)).toBeNull();
    await user.selectOptions(screen.getByLabelText("Status"), "MITIGATING");
    await screen.findByText(/Memory runs short/);
    expect(history.location.href).toBe("/incidents?status=MITIGATING");
    await user.type(screen.getByLabelText("Search"), "zzz");
    expect(await screen.findByText("No incident matches")).toBeTruthy();
    expect(history.location.href).toContain("text=zzz");
  });
});

describe("an incident's story", () => {
  test("a resolved one shows every stage with its evidence", async () => {
    const there = world();
    visit(storyOf(there, RESOLVED).address, there);
    await heading("Disk usage /var at 94.8 % on prod-db-03.us-east-1");
    expect(screen.getByText("Disk /var is filling up on prod-db-03")).toBeTruthy();
    const stages = within(screen.getByRole("navigation", { name: "Stages" })).getAllByRole("link");
    expect(stages.map((stage) => stage.getAttribute("href"))).toEqual([
      "#observe", "#detect", "#decide", "#execute", "#audit",
    ]);
    const chart = screen.getByRole("img", { name: /^Chart of Disk usage/ });
    expect(chart.getAttribute("aria-label")).toContain("anomaly at 94.8 %");
    expect(screen.getByText("/var/tmp/export")).toBeTruthy();
    expect(screen.getByText("6.63 standard deviations")).toBeTruthy();
    expect(screen.getByText(/90 % interval 91.7 % to 98.5 %/)).toBeTruthy();
    const rules = within(screen.getByRole("region", { name: "Policy rules" })).getAllByRole("row");
    expect(rules).toHaveLength(13);
    const deciding = rules.filter((row) => row.dataset["deciding"] === "true");
    expect(deciding.map((row) => row.textContent)).toEqual([
      expect.stringContaining("confidence"), expect.stringContaining("environment"),
    ]);
    expect(screen.getByText(/rotated 12 log files/)).toBeTruthy();
    expect(screen.getByText("skipped")).toBeTruthy();
    expect(screen.getByRole("link", { name: "#20" }).getAttribute("href")).toBe("/audit/proof/20");
    expect(screen.queryByRole("button", { name: "Stop" })).toBeNull();
  });

  test("a log line is text, whatever it says", async () => {
    const there = world();
    visit(storyOf(there, RESOLVED).address, there);
    const line = await screen.findByText(/Ignore previous instructions/);
    expect(line.textContent).toContain("<script>alert('x')</script>");
    expect(document.querySelector("script")).toBeNull();
  });

  test("a rolled back one shows the undo and names what was left behind", async () => {
    const there = world();
    visit(storyOf(there, ROLLED_BACK).address, there);
    expect(await screen.findByText("Not undone, people must look:")).toBeTruthy();
    expect(screen.getByText("cannot be undone")).toBeTruthy();
    expect(screen.getByRole("heading", { name: "Undo" })).toBeTruthy();
    expect(screen.getByText(/503 Service Unavailable/)).toBeTruthy();
  });

  test("one that awaits approval can be approved with a note", async () => {
    const there = world();
    const { user, asked } = visit(storyOf(there, AWAITING).address, there);
    await user.type(await screen.findByLabelText("Note"), "go ahead");
    await user.click(screen.getByRole("button", { name: "Approve" }));
    expect(await screen.findByText("mitigating")).toBeTruthy();
    expect(screen.getByText(/“go ahead”/)).toBeTruthy();
    expect(asked.find(({ path }) => path.endsWith("/approve"))?.body).toEqual({ note: "go ahead" });
  });

  test("a running one can be stopped", async () => {
    const there = world();
    const { user, asked } = visit(storyOf(there, MITIGATING).address, there);
    await user.click(await screen.findByRole("button", { name: "Stop" }));
    expect(screen.getByText("Policy: all 12 rules agree")).toBeTruthy();
    expect(screen.queryByText("deciding")).toBeNull();
    await user.type(screen.getByLabelText("Note"), "wrong host");
    await user.click(screen.getByRole("button", { name: "Stop it" }));
    expect(await screen.findByText("stop asked for by ana@example.com")).toBeTruthy();
    expect(asked.find(({ path }) => path.endsWith("/stop"))?.body).toEqual({ note: "wrong host" });
  });

  test("one without a decision says what is going on", async () => {
    const there = world();
    const { story, address } = storyOf(there, MITIGATING);
    there.stories[MITIGATING] = {
      ...story, decision: null, order: null, incident: { ...story.incident, status: "ANALYZING" },
    };
    visit(address, there);
    expect(await screen.findByText("The evidence is being taken")).toBeTruthy();
    expect(screen.getByText("Nothing runs yet")).toBeTruthy();
  });

  test("an address that names a part leads there once it is shown", async () => {
    const there = world();
    const shown: string[] = [];
    const before = Element.prototype.scrollIntoView;
    Element.prototype.scrollIntoView = function note(this: Element) {
      shown.push(this.id);
    };
    try {
      visit(`${storyOf(there, RESOLVED).address}#execute`, there);
      await screen.findByRole("heading", { name: "Execute" });
      await waitFor(() => expect(shown).toContain("execute"));
    } finally {
      Element.prototype.scrollIntoView = before;
    }
  });

  test("the draft of a post-mortem is shown and taken away, and questions lead on", async () => {
    URL.createObjectURL = vi.fn(() => "blob:made");
    URL.revokeObjectURL = vi.fn();
    const there = world();
    const { story, address } = storyOf(there, RESOLVED);
    const { user, asked } = visit(address, there);
    const ask = await screen.findByRole("link", { name: "Ask about it" });
    expect(ask.getAttribute("href")).toBe(`/questions?incident=${story.incident.id}`);
    await user.click(await screen.findByRole("button", { name: "Show the draft" }));
    expect((await screen.findByLabelText("Draft of the post-mortem")).textContent).toContain("[#20]");
    await user.click(screen.getByRole("button", { name: `Save as ${story.incident.id}.md` }));
    expect(URL.createObjectURL).toHaveBeenCalledTimes(1);
    expect(asked.filter(({ path }) => path.endsWith("/postmortem"))).toHaveLength(1);
  });

  test("an unknown one says so and offers to try again", async () => {
    visit("/incidents/inc_none");
    expect(await screen.findByText("No such incident")).toBeTruthy();
    expect(screen.getByRole("button", { name: "Try again" })).toBeTruthy();
  });
});

describe("approvals", () => {
  test("a denial needs a reason", async () => {
    const { user, world: there } = visit("/approvals");
    const deny = await screen.findByRole("button", { name: "Deny" });
    expect(deny).toHaveProperty("disabled", true);
    await user.type(screen.getByLabelText("Note"), "not during the sale");
    await user.click(deny);
    expect(await screen.findByText("Nothing waits for you")).toBeTruthy();
    expect(storyOf(there, AWAITING).story.approval?.note).toBe("not during the sale");
  });

  test("who may not decide is told so", async () => {
    const there = world();
    there.me.permissions = { production: ["view"], staging: ["view", "decide_approval"] };
    visit("/approvals", there);
    expect(await screen.findByText(/Your role in production may look, not answer/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Approve" })).toBeNull();
  });

  test.each([
    ["who asked for the run", "requested_by", "ADA", /You asked for this run/, "Withdraw"],
    ["who said yes already", "agreed", ["ada"], /You approved. Somebody else has to/, "Deny"],
  ])("%s cannot approve it", async (_, field, value, told, left) => {
    const there = world();
    there.me.name = "ada";
    const { story } = storyOf(there, AWAITING);
    if (story.approval) Object.assign(story.approval, { [field]: value });
    visit("/approvals", there);
    expect(await screen.findByText(told)).toBeTruthy();
    expect(screen.getByRole("button", { name: left })).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Approve" })).toBeNull();
  });

  test.each([
    ["approved", "bo", /Approved before by/],
    ["denied", "cy", /Before that approved by/],
  ])("who else approved one that was %s stays in sight, at its own address", async (status, by, told) => {
    const there = world();
    const { story } = storyOf(there, AWAITING);
    const yes = (name: string, minute: number) => ({
      by: name, at: `2026-01-05T10:0${minute}:00Z`, note: name === "ada" ? "looks right" : "",
    });
    if (story.approval) {
      Object.assign(story.approval, {
        status, needed: 2, decided_by: by, decided_at: "2026-01-05T10:05:00Z",
        agreed: ["ada", "bo"], agreements: [yes("ada", 1), yes("bo", 5)].slice(0, by === "bo" ? 2 : 1),
      });
    }
    visit(`/approvals/${story.approval?.id}`, there);
    const first = await screen.findByText(told);
    expect(first.textContent).toMatch(/ada.*“looks right”/);
    expect(first.querySelector("time")?.dateTime).toBe("2026-01-05T10:01:00Z");
    expect(first.textContent).not.toContain("bo");
    expect(screen.getByText(by).closest("p")?.textContent).toContain(`${status} by ${by}`);
  });

  test("while it waits the yeses so far have their times", async () => {
    const there = world();
    const { story } = storyOf(there, AWAITING);
    const agreements = [{ by: "bo", at: "2026-01-05T10:01:00Z", note: "" }];
    if (story.approval) Object.assign(story.approval, { needed: 2, agreed: ["bo"], agreements });
    visit("/approvals", there);
    const said = await screen.findByText(/2 people have to approve. Approved so far: /);
    expect(said.querySelector("time")?.dateTime).toBe("2026-01-05T10:01:00Z");
  });

  test("a yes that counts no more is shown with why", async () => {
    const there = world();
    const { story } = storyOf(there, AWAITING);
    const lapsed = ["bo: they may no longer answer in production"];
    if (story.approval) Object.assign(story.approval, { needed: 2, agreed: [], lapsed });
    visit(`/approvals/${story.approval?.id}`, there);
    const list = await screen.findByRole("list", { name: "Counts no more" });
    expect(list.textContent).toBe(`Counts no more: ${lapsed[0]}`);
    expect(screen.getByRole("button", { name: "Approve" })).toBeTruthy();
  });

  test("an address asks for its one question, however many there are since", async () => {
    const there = world();
    const id = storyOf(there, AWAITING).story.approval?.id ?? "";
    const { asked } = visit(`/approvals/${id}`, there);
    await screen.findByRole("button", { name: "Approve" });
    expect(asked.map(({ path }) => path)).toContain(`/approvals/${id}`);
  });

  test("an address of no question says so", async () => {
    visit("/approvals/apr_none");
    expect(await screen.findByText("No such question")).toBeTruthy();
  });

  test("a question that somebody else answered first goes away", async () => {
    const { user, world: there } = visit("/approvals");
    await screen.findByRole("button", { name: "Approve" });
    const { story } = storyOf(there, AWAITING);
    if (story.approval) Object.assign(story.approval, { status: "denied", decided_by: "bo" });
    await user.click(screen.getByRole("button", { name: "Approve" }));
    await waitFor(() => expect(screen.queryByRole("button", { name: "Approve" })).toBeNull());
  });
});

test("playbooks are listed with risk and record, and one opens with its YAML", async () => {
  const { user } = visit("/playbooks");
  expect(await screen.findByText("40 of 41 resolved")).toBeTruthy();
  await user.click(screen.getByRole("link", { name: "service_restart" }));
  await heading("service_restart");
  expect(await screen.findByText(/name: service_restart/)).toBeTruthy();
  expect(screen.getByText("Why this risk").nextSibling?.textContent).toMatch(/^Requests fail for some seconds/);
});

describe("hosts", () => {
  test("the search narrows the list and stays in the address", async () => {
    const { user, history } = visit("/hosts");
    await screen.findByText("silent");
    await user.type(screen.getByLabelText("Search hosts"), "stag");
    await waitFor(() => expect(screen.queryByText("prod-db-01.us-east-1")).toBeNull());
    expect(screen.getByText("staging-cache-02")).toBeTruthy();
    expect(history.location.href).toBe("/hosts?text=stag");
    expect(await screen.findByText("1 host")).toBeTruthy();
  });

  test("the server searches and hands out pages, so that thousands stay smooth", async () => {
    const there = world();
    const [pattern] = there.estate;
    if (!pattern) throw new Error("the mock has no host");
    there.estate = Array.from({ length: 450 }, (_, n) => ({
      ...pattern, agent_id: `many-${n}`, host: `web-${String(n).padStart(3, "0")}`,
      environment: n % 2 ? "staging" : "production",
    }));
    const { asked, user, history } = visit("/hosts", there);
    expect(await screen.findByText("450 hosts")).toBeTruthy();
    const rows = () => Number(screen.getByRole("table").getAttribute("aria-rowcount"));
    expect(rows()).toBe(201);
    await user.click(screen.getByRole("button", { name: "Show more" }));
    await waitFor(() => expect(rows()).toBe(401));
    await user.click(screen.getByRole("button", { name: "Show more" }));
    await waitFor(() => expect(rows()).toBe(451));
    expect(screen.queryByRole("button", { name: "Show more" })).toBeNull();
    expect(asked.filter(({ path }) => path === "/hosts").length).toBe(3);
    await user.selectOptions(screen.getByLabelText("Environment"), "staging");
    expect(await screen.findByText("225 hosts")).toBeTruthy();
    expect(history.location.href).toBe("/hosts?environment=staging");
  });

  test("where none is enrolled, what to do is said", async () => {
    const there = world();
    there.estate = [];
    visit("/hosts", there);
    expect(await screen.findByText("No host is enrolled")).toBeTruthy();
    expect(screen.queryByLabelText("Search hosts")).toBeNull();
  });

  test("one shows charts with their baselines and every latest reading", async () => {
    const { user } = visit("/hosts");
    await user.click(await screen.findByRole("link", { name: "prod-db-03.us-east-1" }));
    await heading("prod-db-03.us-east-1");
    const chart = await screen.findByRole("img", { name: /^Chart of CPU/ });
    expect(chart.getAttribute("aria-label")).toContain("usual mean 42.3 %");
    await user.click(screen.getByRole("link", { name: "Uptime" }));
    expect(await screen.findByRole("img", { name: /^Chart of Uptime/ })).toBeTruthy();
  });
});

describe("audit", () => {
  test("the checkpoint, the whole verification and the entries are shown", async () => {
    const { user } = visit("/audit");
    const [cosigner] = await screen.findAllByText("agent on prod-db-03.us-east-1");
    expect(cosigner?.title).toMatch(/^agent:0f5c2b1e-/);
    const table = await screen.findByRole("region", { name: "Audit entries" });
    expect(within(table).getAllByText(/^agent on /).length).toBeGreaterThan(0);
    expect(within(table).queryByText(/agent:/)).toBeNull();
    expect(screen.getByText(/11.4 s: only what is younger/)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Verify now" }));
    expect(await screen.findByText(/no source left out a number/)).toBeTruthy();
    await user.click(await screen.findByRole("button", { name: "Show older" }));
    expect(await screen.findByRole("link", { name: "#0 proof" })).toBeTruthy();
  });

  test("a true proof is verified in the browser", async () => {
    visit("/audit/proof/7");
    expect(await screen.findByText("Verified in your browser")).toBeTruthy();
    expect(screen.getByText(/^agent on /).title).toMatch(/^agent:0f5c2b1e-/);
  });

  test("a forged entry is caught in the browser", async () => {
    const there = world();
    const honest = there.log.proof.bind(there.log);
    there.log.proof = (index) => {
      const proof = honest(index);
      return { ...proof, leaf: proof.leaf.replace('"actor":"', '"actor":"not ') };
    };
    visit("/audit/proof/7", there);
    expect(await screen.findByText("This proof does not hold")).toBeTruthy();
  });
});
