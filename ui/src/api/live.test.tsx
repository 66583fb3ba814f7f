// What an event makes the dashboard read again, and what it leaves alone.
import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { Stream, visit } from "../testing/visit";
import specification from "../../../docs/reference/openapi.json";
import { joined } from "./lists";
import { HEARD } from "./live";

const SETTLED_MS = 600; // twice the time in which a burst of events is gathered

const settled = () => new Promise((done) => setTimeout(done, SETTLED_MS));
const lists = (asked: { method: string; path: string }[]) =>
  asked.filter(({ path }) => path === "/incidents").length;

describe("live events", () => {
  test("samples of hosts do not make the overview be read again", async () => {
    const { asked } = visit("/");
    await screen.findByText("Awaiting approval");
    asked.length = 0;
    for (let at = 0; at < 40; at += 1) Stream.newest?.send("host", `agent ${at}`);
    await settled();
    expect(asked.map(({ path }) => path)).toEqual([]);
  });

  test("every kind that the server tells is known, and no other", () => {
    const stream = specification.paths["/api/v1/live"].get.responses["200"].content;
    const { data } = stream["text/event-stream"].itemSchema.properties;
    const kinds = data.contentSchema.properties.kind.anyOf.flatMap((one) => one.enum ?? one.const);
    expect(Object.keys(HEARD).sort()).toEqual([...kinds].sort());
  });

  test("the list of playbooks follows what happens to them", async () => {
    const { asked } = visit("/playbooks");
    await screen.findByRole("heading", { name: "Playbooks" });
    await waitFor(() => expect(asked.some(({ path }) => path === "/playbooks")).toBe(true));
    await settled();
    asked.length = 0;
    Stream.newest?.send("playbook", "disk_cleanup");
    await waitFor(() => expect(asked.map(({ path }) => path)).toContain("/playbooks"));
    expect(asked.map(({ path }) => path)).not.toContain("/overview");
  });

  test("where the server lost signals everything in view is read again", async () => {
    const { asked } = visit("/");
    await screen.findByText("Awaiting approval");
    await screen.findByText("Disk /var is filling up on prod-db-03");
    asked.length = 0;
    Stream.newest?.send("all");
    await waitFor(() => {
      const paths = asked.map(({ path }) => path);
      expect(paths).toEqual(expect.arrayContaining(["/overview", "/approvals", "/incidents"]));
    });
  });

  test("of a long list the beginning is read again, and a row below that the event names", async () => {
    const { asked, user, world } = visit("/incidents");
    const table = await screen.findByRole("region", { name: "Incidents" });
    await user.click(screen.getByRole("button", { name: "Show older" }));
    const count = () => within(table).getAllByRole("row").length;
    await waitFor(() => expect(count()).toBe(69));
    const [newest] = world.older;
    const below = world.older.at(-2);
    if (!newest || !below) throw new Error("the mock has too few incidents");
    asked.length = 0;
    world.older.unshift({
      ...newest, id: "inc_new", summary: "A new one", opened_at: new Date().toISOString(),
    });
    below.summary = "Somebody reopened it";
    Stream.newest?.send("incident", below.id);
    expect(await within(table).findByText("Somebody reopened it")).toBeTruthy();
    expect(await within(table).findByText("A new one")).toBeTruthy();
    expect(count()).toBe(70);
    expect(lists(asked)).toBe(1);
    Stream.newest?.send("incident", "inc_new");
    await settled();
    expect(lists(asked)).toBe(2);
    expect(count()).toBe(70);
    expect(screen.queryByRole("button", { name: "Show older" })).toBeNull();
  });

  test("the log is asked for by the clock, its beginning alone", async () => {
    const { asked } = visit("/audit");
    await screen.findByText("Newest checkpoint");
    await screen.findByRole("region", { name: "Audit entries" });
    asked.length = 0;
    Stream.newest?.send("audit");
    await settled();
    expect(asked).toEqual([]);
  });
});

describe("a list that is joined with its new beginning", () => {
  const rows = { key: String, rank: Number };
  const data = (...pages: number[][]) => ({
    pages: pages.map((items) => ({ items, next: items.at(-1) ?? null })),
    pageParams: pages.map((_, at) => (at === 0 ? null : (pages[at - 1]?.at(-1) ?? null))),
  });
  const items = (of: { pages: { items: unknown[] }[] }) => of.pages.flatMap((page) => page.items);
  const beginning = (...page: number[]) => ({
    pages: [{ items: page }], pageParams: [null, page.at(-1) ?? null],
  });

  test.each([
    ["new rows come before, and none is lost", [9, 8, 7], [[7, 6, 5], [4, 3]], [9, 8, 7, 6, 5, 4, 3]],
    ["a row that does not belong there any more goes", [7, 5, 4], [[7, 6, 5], [4, 3]], [7, 5, 4, 3]],
    ["of one page stays one page", [9, 8, 7], [[7, 6, 5]], [9, 8, 7]],
    ["what may lie between is loaded anew", [30, 29, 28], [[7, 6, 5], [4, 3]], [30, 29, 28]],
  ])("%s", (_, fresh, before, after) => {
    expect(items(joined(data(...before), beginning(...fresh), rows))).toEqual(after);
  });

  test("goes on where it ended", () => {
    const found = joined(data([7, 6, 5], [4, 3]), beginning(9, 8, 7), rows);
    expect(found.pages.at(-1)).toMatchObject({ next: 3 });
    expect(found.pageParams).toEqual([null, 7]);
  });

  test("a page that may be short leaves the rows below as they are", () => {
    const short = { ...rows, page: 3 };
    const empty = { pages: [{ items: [] }], pageParams: [null, 90] };
    const before = data([], [7, 6], [5]);
    expect(joined(before, empty, short)).toBe(before);
    const one = { pages: [{ items: [99] }], pageParams: [null, 90] };
    expect(items(joined(before, one, short))).toEqual([99, 7, 6, 5]);
  });

  test("at its end is what was read", () => {
    const all = { pages: [{ items: [9] }], pageParams: [null, null] };
    expect(items(joined(data([7, 6], [5]), all, rows))).toEqual([9]);
  });
});
