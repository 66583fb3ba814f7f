// Alerts, silences and maintenance, topology, and what people do about an incident.
import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { World } from "../../mock-api/world";
import type { Edge } from "../api/types";
import { visit } from "../testing/visit";
import { emptyDraft, matchersOf, missing, recurrenceOf, recurrenceWords } from "./silences/draft";
import { BOX, layOut } from "./topologyLayout";

const heading = (name: string) => screen.findByRole("heading", { level: 1, name });

describe("alerts", () => {
  test("each shows its sender, its state, and what became of it", async () => {
    const { world } = visit("/alerts");
    await heading("Alerts");
    const table = await screen.findByRole("region", { name: "Alerts" });
    const rows = within(table).getAllByRole("row").slice(1).map((row) => row.textContent);
    expect(rows[0]).toMatch(/DiskWillFill.*alertmanager.*firing.*opened an incident.*its incident/);
    expect(rows[1]).toMatch(/grafana.*silenced/);
    expect(rows[1]).toContain("and 1 more");
    expect(rows[4]).toContain("waits its turn");
    const link = within(table).getAllByRole("link", { name: "its incident" })[0];
    expect(link?.getAttribute("href")).toBe(`/incidents/${world.alerts[0]?.incident}`);
  });

  test("the search stays in the address", async () => {
    const { user, history } = visit("/alerts");
    await user.type(await screen.findByLabelText("Search what is loaded"), "grafana");
    await waitFor(() => expect(screen.queryByText("PodCrashing")).toBeNull());
    expect(screen.getByText("HighLatency")).toBeTruthy();
    expect(history.location.href).toBe("/alerts?text=grafana");
    await user.type(screen.getByLabelText("Search what is loaded"), "zzz");
    expect(await screen.findByText("No alert matches")).toBeTruthy();
  });

  test("without any it says where they would come from", async () => {
    const there = new World();
    there.alerts = [];
    visit("/alerts", there);
    expect(await screen.findByText("No alert has come")).toBeTruthy();
  });
});

describe("silences and maintenance", () => {
  test("one is built, tried, made and ended", async () => {
    const { user, asked } = visit("/silences");
    expect(await screen.findByText("Nothing is silenced")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "New silence" }));
    await user.selectOptions(screen.getByLabelText("Comparison 1"), "=~");
    await user.type(screen.getByLabelText("Value 1"), "prod-db-.*");
    await user.click(screen.getByRole("button", { name: "Add a condition" }));
    await user.selectOptions(screen.getByLabelText("Label 2"), "tag.");
    await user.type(screen.getByLabelText("Tag name 2"), "team");
    await user.type(screen.getByLabelText("Value 2"), "shop");
    await user.click(screen.getByRole("button", { name: "What would it cover?" }));
    const shown = await screen.findByRole("status", { name: "What it would cover" });
    expect(shown.textContent).toContain("2 hosts: prod-db-01.us-east-1, prod-db-03.us-east-1");
    expect(shown.textContent).toMatch(/kept \d+ incidents of the last 7 days/);
    expect(screen.getByRole("button", { name: "Silence it" })).toHaveProperty("disabled", true);
    await user.selectOptions(screen.getByLabelText("For"), "240");
    await user.type(screen.getByLabelText(/Why/), "moving disks");
    await user.click(screen.getByRole("button", { name: "Silence it" }));
    const table = await screen.findByRole("region", { name: "Silences" });
    expect(within(table).getByText('host=~"prod-db-.*" tag.team="shop"', { collapseWhitespace: true })).toBeTruthy();
    const post = asked.find(({ method, path }) => method === "POST" && path === "/silences");
    expect(post?.body).toEqual({
      matchers: [
        { label: "host", comparison: "=~", value: "prod-db-.*" },
        { label: "tag.team", comparison: "=", value: "shop" },
      ],
      recurrence: null, minutes: 240, reason: "moving disks",
    });
    await user.click(within(table).getByRole("button", { name: "Expire" }));
    await user.click(screen.getByRole("button", { name: "End it now" }));
    expect(await screen.findByText("Nothing is silenced")).toBeTruthy();
  });

  test("a weekly maintenance says its days, its time and its zone", async () => {
    const { user, asked } = visit("/silences?kind=maintenance");
    await user.click(await screen.findByRole("button", { name: "New maintenance" }));
    expect(screen.getByLabelText("Label 1").textContent).not.toContain("metric");
    await user.type(screen.getByLabelText("Value 1"), "prod-db-01.us-east-1");
    await user.selectOptions(screen.getByLabelText("It stands"), "weekly");
    await user.click(screen.getByLabelText("sat"));
    const zone = screen.getByLabelText("Time zone");
    await user.clear(zone);
    await user.type(zone, "Europe/Berlin");
    await user.type(screen.getByLabelText(/Why/), "patch night");
    await user.click(screen.getByRole("button", { name: "What would it cover?" }));
    expect((await screen.findByRole("status", { name: "What it would cover" })).textContent).toContain("Next:");
    await user.click(screen.getByRole("button", { name: "Begin maintenance" }));
    expect(await screen.findByText(/Saturday, Sunday at 02:00 \(Europe\/Berlin\), 2 h each time/)).toBeTruthy();
    const post = asked.find(({ method, path }) => method === "POST" && path === "/maintenance");
    expect(post?.body).toMatchObject({
      recurrence: { cron: "0 2 * * sat,sun", zone: "Europe/Berlin", minutes: 120 },
      minutes: 90 * 24 * 60,
    });
  });

  test("what the server refuses is said and nothing is lost", async () => {
    const { user } = visit("/silences?host=web-1");
    expect(await screen.findByLabelText("Value 1")).toHaveProperty("value", "web-1");
    await user.selectOptions(screen.getByLabelText("Comparison 1"), "=~");
    await user.type(screen.getByLabelText("Value 1"), "(a+)+");
    await user.type(screen.getByLabelText(/Why/), "x");
    await user.click(screen.getByRole("button", { name: "Silence it" }));
    expect((await screen.findByRole("alert")).textContent).toContain("must not repeat");
    expect(screen.getByLabelText("Value 1")).toHaveProperty("value", "web-1(a+)+");
  });

  test("an observer sees them and makes none", async () => {
    const there = new World();
    there.me.permissions = { production: ["view"] };
    visit("/silences", there);
    expect(await screen.findByRole("button", { name: "New silence" })).toHaveProperty("disabled", true);
  });

  test.each([
    ["0 2 * * sun", "Sunday at 02:00 (UTC), 1 h each time"],
    ["30 23 * * *", "every day at 23:30 (UTC), 1 h each time"],
    ["*/5 2 * * sun", "*/5 2 * * sun (UTC), 1 h each time"],
    ["0 2 1 * *", "0 2 1 * * (UTC), 1 h each time"],
    ["0 2 * * mon-fri", "0 2 * * mon-fri (UTC), 1 h each time"],
  ])("the recurrence %s is said as %s", (cron, words) => {
    expect(recurrenceWords({ cron, zone: "UTC", minutes: 60 })).toBe(words);
  });

  test("a draft says what it lacks, and all seven days are every day", () => {
    const draft = emptyDraft();
    expect(missing(draft)).toBe("Say what it is about");
    expect(missing({ ...emptyDraft("web-1") })).toBe("Say why");
    expect(missing({ ...emptyDraft("web-1"), again: "weekly", days: [], reason: "x" })).toBe("Choose a day");
    expect(missing({ ...emptyDraft("web-1"), reason: "x" })).toBeNull();
    expect(matchersOf({ ...draft, matchers: [{ label: "tag.", comparison: "=", value: "x" }] })).toEqual([]);
    const week = { ...draft, again: "weekly" as const, days: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as typeof draft.days };
    expect(recurrenceOf(week)?.cron).toBe("0 2 * * *");
  });
});

describe("people and an incident", () => {
  const address = (there: World, which: number) => `/incidents/${there.stories[which]?.incident.id}`;

  test("it is acknowledged, assigned, noted and closed by hand", async () => {
    const there = new World();
    const { user, asked } = visit(address(there, 1), there);
    const box = await screen.findByRole("region", { name: "People" });
    await user.click(within(box).getByRole("button", { name: "Acknowledge" }));
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Acknowledge" }));
    expect(await within(box).findByText("in hand")).toBeTruthy();
    expect(within(box).queryByRole("button", { name: "Acknowledge" })).toBeNull();

    await user.click(within(box).getByRole("button", { name: "Assign" }));
    await user.type(screen.getByLabelText(/Person/), "bo@example.com");
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Assign" }));
    expect(await within(box).findByText("bo@example.com")).toBeTruthy();

    await user.click(within(box).getByRole("button", { name: "Note" }));
    const add = screen.getByRole("button", { name: "Add the note" });
    expect(add).toHaveProperty("disabled", true);
    await user.type(within(screen.getByRole("dialog")).getByLabelText(/Note/), "<b>seen</b>");
    await user.click(add);
    expect(await within(box).findByText("<b>seen</b>")).toBeTruthy();

    await user.click(within(box).getByRole("button", { name: "Close by hand" }));
    await user.type(screen.getByLabelText(/Reason/), "ended the sessions myself");
    await user.click(screen.getByRole("button", { name: "Close it" }));
    expect(await screen.findByText("fixed by a person")).toBeTruthy();
    expect(within(box).getByText(/ended the sessions myself/)).toBeTruthy();
    expect(within(box).queryByRole("button", { name: "Close by hand" })).toBeNull();
    expect(asked.filter(({ method }) => method === "POST").map(({ body }) => body)).toEqual([
      { note: "" }, { to: "bo@example.com" }, { text: "<b>seen</b>" },
      { reason: "ended the sessions myself" },
    ]);
  });

  test("a closed one is reopened as a new one, and its page opens", async () => {
    const there = new World();
    const { user, history } = visit(address(there, 3), there);
    const box = await screen.findByRole("region", { name: "People" });
    expect(within(box).queryByRole("button", { name: "Acknowledge" })).toBeNull();
    await user.click(within(box).getByRole("button", { name: "Reopen" }));
    await user.type(screen.getByLabelText(/Reason/), "it is back");
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Reopen" }));
    await waitFor(() => expect(history.location.pathname).toBe(address(there, 1)));
  });

  test("what is under way is not closed by hand", async () => {
    const there = new World();
    visit(address(there, 0), there);
    const box = await screen.findByRole("region", { name: "People" });
    expect(within(box).getByRole("button", { name: "Acknowledge" })).toBeTruthy();
    expect(within(box).queryByRole("button", { name: "Close by hand" })).toBeNull();
  });

  test("an observer is told that they may look", async () => {
    const there = new World();
    there.me.permissions = { production: ["view"] };
    visit(address(there, 1), there);
    expect(await screen.findByText("Your role in production may look, not handle it.")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Assign" })).toBeNull();
  });
});

describe("topology", () => {
  test("the picture and the table say the same", async () => {
    visit("/topology");
    const picture = await screen.findByRole("img", { name: /^7 services and 8 calls/ });
    expect(picture.querySelectorAll("rect")).toHaveLength(7);
    const rows = within(screen.getByRole("region", { name: "Calls in production" })).getAllByRole("row");
    expect(rows).toHaveLength(9);
    expect(rows[1]?.textContent).toContain("frontendcheckoutrequest90,210");
  });

  test("without traces it says how to send some", async () => {
    const there = new World();
    there.edges = [];
    visit("/topology?environment=staging", there);
    expect(await screen.findByText("No call was told of")).toBeTruthy();
  });

  const edge = (caller: string, callee: string): Edge => ({
    environment: "drill", caller, callee, kind: "request", calls: 1, first_seen: "", last_seen: "",
  });

  test.each([
    ["a chain", [edge("a", "b"), edge("b", "c")], [0, 1, 2]],
    ["a short cut", [edge("a", "c"), edge("a", "b"), edge("b", "c")], [0, 1, 2]],
    ["a circle", [edge("a", "b"), edge("b", "a")], [0, 1]],
    ["who calls itself", [edge("a", "a")], [0]],
    ["two islands", [edge("a", "b"), edge("x", "y")], [0, 1]],
  ])("%s is laid out in columns without overlap", (_, edges, columns) => {
    const { places, lines, width, height } = layOut(edges);
    const xs = [...new Set(places.map(({ x }) => x))].sort((one, other) => one - other);
    expect(xs).toHaveLength(columns.length);
    expect(lines).toHaveLength(edges.length);
    for (const one of places) {
      expect(one.x + BOX.width).toBeLessThanOrEqual(width);
      expect(one.y + BOX.height).toBeLessThanOrEqual(height);
      for (const other of places) {
        if (one !== other && one.x === other.x) expect(Math.abs(one.y - other.y)).toBeGreaterThanOrEqual(BOX.height);
      }
    }
  });

  test("services that all call each other are laid out at once", () => {
    const names = Array.from({ length: 12 }, (_, at) => `s${at}`);
    const edges = names.flatMap((one) => names.filter((other) => other !== one).map((other) => edge(one, other)));
    const began = performance.now();
    layOut(edges);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});
