// One thing of a list at an address that can be passed on.
import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";

const chosen = (table: HTMLElement) =>
  within(table)
    .getAllByRole("row")
    .filter((row) => row.dataset["chosen"] === "true")
    .map((row) => row.id);

test("one silence, also when it has ended", async () => {
  const there = new World();
  for (const reason of ["the first", "the second"]) {
    there.answer("POST", "/silences", new URLSearchParams(), {
      matchers: [{ label: "host", comparison: "=", value: reason }], reason, minutes: 60,
    });
  }
  const { user, history } = visit("/silences", there);
  const row = (await screen.findByText(/the second/, { selector: "td" })).closest("tr");
  await user.click(within(row!).getByRole("link", { name: "its own address" }));
  expect(history.location.href).toBe("/silences?ended=yes#sil_2");
  expect(chosen(await screen.findByRole("region", { name: "Silences" }))).toEqual(["sil_2"]);
});

test("one message", async () => {
  const there = new World();
  const one = there.notices.at(3);
  visit(`/notices#notice-${one?.id}`, there);
  const table = await screen.findByRole("region", { name: "Newest messages" });
  expect(chosen(table)).toEqual([`notice-${one?.id}`]);
  const links = within(table).getAllByRole("link", { name: "its own address" });
  expect(links[3]?.getAttribute("href")).toBe(`/notices#notice-${one?.id}`);
});

test("one service among the calls", async () => {
  visit("/topology?service=checkout");
  const table = await screen.findByRole("region", { name: "Calls in production" });
  const rows = within(table).getAllByRole("row").slice(1);
  const marked = rows.filter((row) => row.dataset["chosen"] === "true");
  expect(marked.length).toBeGreaterThan(0);
  for (const row of rows) {
    expect(row.dataset["chosen"] === "true").toBe(/checkout/.test(row.textContent ?? ""));
  }
});
