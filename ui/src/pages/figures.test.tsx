// Pages on how it goes: trends, calibration, evidence, settings, versions, replay, long tables.
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test, vi } from "vitest";
import { packageAt } from "../../mock-api/figures";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";
import { difference, hunks } from "./playbook/difference";

describe("overview", () => {
  test("each figure stands beside the time before, and says whether that is better", async () => {
    visit("/?days=30");
    const autonomy = await screen.findByRole("region", { name: "Autonomy" });
    expect(autonomy.textContent).toContain("66.7 %");
    expect(autonomy.textContent).toContain("better than 51.1 %");
    const time = screen.getByRole("region", { name: "Mean time to resolve by remedy" });
    expect(time.textContent).toContain("2 min 4 s");
    expect(time.textContent).toContain("3 min 4 s over all 186 that recovered");
    const bar = time.querySelector("rect title")?.textContent ?? "";
    expect(bar).toMatch(/\(\d{4}-\d\d-\d\d \d\d:\d\d:.* UTC\): 2 min 20 s/);
    const bars = time.querySelectorAll("rect");
    fireEvent.pointerUp(bars[0]!, { pointerType: "touch" });
    expect(time.textContent).toContain(bar);
  });

  test("what people ended stands beside it, and too few of them make no trend", async () => {
    visit("/?days=30");
    const people = await screen.findByRole("region", { name: "Mean time to resolve by people" });
    expect(people.textContent).toContain("1 h 8 min");
    expect(people.textContent).toContain("median 1 h 8 min of 15");
    expect(people.textContent).toContain("1 h 30 min in the 30 days before; 4 are too few to compare");
    expect(people.textContent).not.toMatch(/better|worse/);
  });

  test("the span lives in the address", async () => {
    const { user, history, asked } = visit("/");
    await user.selectOptions(await screen.findByLabelText("Span"), "7");
    await waitFor(() => expect(history.location.search).toMatch(/days=.*7/));
    expect(asked.some(({ path }) => path === "/overview/trends")).toBe(true);
  });
});

describe("calibration", () => {
  test("shows the plot in words, the bands and what is off", async () => {
    visit("/calibration");
    const plot = await screen.findByRole("img", { name: /^Reliability: said 75 %, seen 75 % of 12/ });
    expect(plot).toBeTruthy();
    expect(screen.getByText(/1 band outside of what chance explains: 80 % to 90 %/)).toBeTruthy();
  });

  test("one playbook is asked for by the address", async () => {
    const { user, history } = visit("/calibration?days=30");
    await screen.findByText("By playbook");
    await user.selectOptions(screen.getByLabelText("Playbook"), "service_restart");
    await waitFor(() => expect(history.location.search).toContain("playbook=service_restart"));
  });
});

describe("evidence", () => {
  test("a package is asked for, its progress is told, and a finished one is saved", async () => {
    URL.createObjectURL = vi.fn(() => "blob:made");
    URL.revokeObjectURL = vi.fn();
    const { user, asked } = visit("/evidence");
    expect(await screen.findByLabelText(/proofs, 40 of 100/)).toBeTruthy();
    expect(screen.getByText("the disk is full")).toBeTruthy();
    await user.selectOptions(screen.getByLabelText("Framework"), "gdpr");
    await user.click(screen.getByRole("button", { name: "Build" }));
    const sent = asked.find(({ method }) => method === "POST")?.body as Record<string, string>;
    expect(sent["framework"]).toBe("gdpr");
    expect(await screen.findByText("waits its turn")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Download" }));
    expect(await screen.findByText(/saved as evd_/)).toBeTruthy();
    expect(URL.createObjectURL).toHaveBeenCalledTimes(1);
  });

  test("days in the wrong order cannot be sent", async () => {
    const { user } = visit("/evidence");
    const last = await screen.findByLabelText("Last day (UTC)");
    await user.clear(last);
    await user.type(last, "2020-01-01");
    expect(screen.getByRole("button", { name: "Build" })).toHaveProperty("disabled", true);
  });

  test("who may not export is told who may", async () => {
    const there = new World();
    there.me.permissions = { "*": ["view"] };
    visit("/evidence", there);
    expect(await screen.findByText(/through auditors and administrators/)).toBeTruthy();
  });

  test("without one it says how to begin", async () => {
    const there = new World();
    there.packages = [];
    visit("/evidence", there);
    expect(await screen.findByText("No package yet")).toBeTruthy();
    expect(packageAt(0, "done").state).toBe("done");
  });
});

describe("settings", () => {
  test("each has its sentence, and what was set here comes first", async () => {
    visit("/settings");
    const here = await screen.findByRole("region", { name: "Set here" });
    expect(within(here).getAllByText("sensitivity").length).toBeGreaterThan(0);
    expect(screen.getByText(/Port of the listener for people/)).toBeTruthy();
  });

  test("observers are not shown them", async () => {
    const there = new World();
    there.me.permissions = { "*": ["view"] };
    const { asked } = visit("/settings", there);
    expect(await screen.findByText("Settings are for administrators")).toBeTruthy();
    expect(asked.some(({ path }) => path === "/settings")).toBe(false);
  });
});

describe("playbook", () => {
  test("versions show what they proved and did, and what changed between two", async () => {
    visit("/playbooks/disk_cleanup_prod_db");
    expect(await screen.findByText("disk-full: 20 of 20 verified")).toBeTruthy();
    expect(screen.getByText(/production: 12 verified, 1 rolled back, 3 dry runs, 2 otherwise/)).toBeTruthy();
    const changed = screen.getByLabelText("Changed lines");
    expect(changed.textContent).toContain("- version: 0.9.0");
    expect(changed.textContent).toContain("+ version: 1.4.2");
  });

  test("a dry run is asked for with its parameters and leads to its incident", async () => {
    const { user, asked, history } = visit("/playbooks/disk_cleanup_prod_db");
    await user.click(await screen.findByRole("button", { name: "Try or run it" }));
    await user.type(screen.getByLabelText(/^Host/), "prod-db-01");
    await user.type(screen.getByLabelText(/^mount/), "/var");
    await user.click(screen.getByRole("button", { name: "Ask for a dry run" }));
    await waitFor(() => expect(history.location.pathname).toContain("/incidents/inc_"));
    expect(asked.find(({ path }) => path.endsWith("/runs"))?.body).toEqual({
      host: "prod-db-01", dry_run: true, note: "", parameters: { mount: "/var" },
    });
  });
});

describe("replay", () => {
  test("a decision is made again, and another policy is compared rule by rule", async () => {
    const there = new World();
    const id = there.stories[2]?.incident.id ?? "";
    const { user, asked } = visit(`/incidents/${id}`, there);
    await user.click(await screen.findByRole("button", { name: "Replay the decision" }));
    expect(await screen.findByText("identical, bit for bit")).toBeTruthy();
    await user.selectOptions(screen.getByLabelText("Begin with"), "no budget for the fleet");
    await user.click(screen.getByRole("button", { name: "Show what it would decide" }));
    const rules = await screen.findByRole("region", { name: "Rules under both policies" });
    expect(within(rules).getAllByRole("row")[1]?.textContent).toContain("fleet_budget changed");
    expect(asked.find(({ method, path }) => method === "POST" && path.endsWith("/replay"))?.body).toEqual({
      policy: { fleet_budget: { fleet_starts_per_hour: 0 } },
    });
  });

  test("what is no policy is refused before it is sent", async () => {
    const there = new World();
    const { user, asked } = visit(`/incidents/${there.stories[2]?.incident.id}`, there);
    await user.type(await screen.findByRole("textbox", { name: /^Policy/, hidden: true }), "risk: run");
    await user.click(screen.getByRole("button", { name: "Show what it would decide" }));
    expect(await screen.findByText(/A JSON object of rules is expected/)).toBeTruthy();
    expect(asked.some(({ method, path }) => method === "POST" && path.endsWith("/replay"))).toBe(false);
  });
});

test("a host shows the series that it leaves out", async () => {
  const agent = "0f5c2b1e-4d7a-4c1b-9a55-000000000001";
  visit(`/hosts/${agent}`);
  const stopped = await screen.findByRole("region", { name: "Series that stopped" });
  expect(stopped.textContent).toContain("Service response time checkout");
});

test.each([
  ["a\nb\nc", "a\nb\nc", "   "],
  ["a\nb\nc", "a\nx\nc", " -+ "],
  ["", "a", "-+"],
  ["a\nb", "b\na", "- +"],
])("of %j and %j the changes are %j", (from, to, kinds) => {
  const signs = { same: " ", added: "+", removed: "-" };
  const lines = difference(from, to);
  expect(lines.map(({ kind }) => signs[kind]).join("")).toBe(kinds);
  expect(lines.filter(({ kind }) => kind !== "added").map(({ text }) => text).join("\n")).toBe(from);
  expect(lines.filter(({ kind }) => kind !== "removed").map(({ text }) => text).join("\n")).toBe(to);
});

test("far from a change lines are left out", () => {
  const many = Array.from({ length: 40 }, (_, n) => `line ${n}`);
  const other = many.with(20, "another");
  const shown = hunks(difference(many.join("\n"), other.join("\n")));
  expect(shown.filter((line) => line === null)).toHaveLength(2);
  expect(shown).toHaveLength(2 + 3 + 2 + 3);
});
