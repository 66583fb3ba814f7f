// Lists narrowed: by whom, what and when. What narrows them stands in the address.
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { fromField, toField } from "../parts/Filters";
import { visit } from "../testing/visit";

const queries = (history: { location: { href: string } }) =>
  new URL(history.location.href, "http://mock").searchParams;

describe("incidents", () => {
  test("severity, environment, host and time narrow them, and are read from the address", async () => {
    const there = new World();
    const one = there.older.find(({ severity }) => severity === "critical");
    if (!one) throw new Error("the mock has no such incident");
    const { user, history } = visit("/incidents?severity=critical", there);
    const table = await screen.findByRole("region", { name: "Incidents" });
    expect(screen.getByText("More filters: 1 set").closest("details")?.open).toBe(true);
    await waitFor(() => expect(within(table).queryByText("warning")).toBeNull());
    await user.selectOptions(screen.getByLabelText("Environment"), one.environment);
    await user.type(screen.getByLabelText("Host"), one.host);
    await waitFor(() => expect(queries(history).get("host")).toBe(one.host));
    const from = screen.getByLabelText("Opened from");
    fireEvent.change(from, { target: { value: toField(one.opened_at) } });
    await waitFor(() => expect(queries(history).get("since")).toMatch(/:00\.000Z$/));
    expect(Object.fromEntries(queries(history))).toMatchObject({
      severity: "critical", environment: one.environment,
    });
    const rows = within(screen.getByRole("region", { name: "Incidents" })).getAllByRole("row").slice(1);
    const opened = rows.map((row) => Date.parse(row.querySelector("time")?.dateTime ?? ""));
    expect(Math.min(...opened)).toBe(Date.parse(one.opened_at));
    await user.click(screen.getByRole("button", { name: "Clear these filters" }));
    await waitFor(() => expect(history.location.href).toBe("/incidents"));
  });
});

describe("the log", () => {
  test("a number leads to its entry", async () => {
    visit("/audit?entry=12");
    const table = await screen.findByRole("region", { name: "Audit entries" });
    const [first, second] = within(table).getAllByRole("row").slice(1);
    expect(first?.textContent).toContain("#12 proof");
    expect(first?.dataset["chosen"]).toBe("true");
    expect(second?.dataset["chosen"]).toBeUndefined();
    expect(screen.queryByText(/There is no entry/)).toBeNull();
  });

  test("kind, actor and time narrow it", async () => {
    const { user, asked, history } = visit("/audit");
    await screen.findByRole("region", { name: "Audit entries" });
    await user.type(screen.getByLabelText("Kind"), "order");
    await waitFor(() => expect(queries(history).get("kind")).toBe("order"));
    const told = () =>
      within(screen.getByRole("region", { name: "Audit entries" })).getAllByRole("row").slice(1);
    await waitFor(() => {
      expect(told().length).toBeGreaterThan(0);
      expect(told().every((row) => /order\./.test(row.textContent ?? ""))).toBe(true);
    });
    await user.type(screen.getByLabelText("By"), "nobody");
    expect(await screen.findByText("No entry matches")).toBeTruthy();
    fireEvent.change(screen.getByLabelText("Written before"), { target: { value: "2026-01-05T10:00" } });
    await waitFor(() => expect(queries(history).get("until")).toBe(fromField("2026-01-05T10:00")));
    expect(asked.length).toBeGreaterThan(0);
    await user.click(screen.getByRole("link", { name: "All entries" }));
    await waitFor(() => expect(history.location.href).toBe("/audit"));
  });

  test("an entry that one may not see is said to be none", async () => {
    visit("/audit?entry=9999");
    expect(await screen.findByText(/There is no entry 9999 that fits and that you may see/)).toBeTruthy();
  });
});

test.each(["2026-07-01T03:04", "2026-01-31T23:59"])("a moment in a field is the viewer's: %s", (said) => {
  expect(toField(fromField(said))).toBe(said);
  expect(fromField(said)).toMatch(/Z$/);
  expect(fromField("")).toBe("");
  expect(toField("nonsense")).toBe("");
});
