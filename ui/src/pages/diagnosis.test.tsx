// What an incident comes from, on its page.
import { screen, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";
import { drawn } from "./incident/Way";

/** Open the page of an incident and wait for its diagnosis. */
async function page(wanted: (metric: string) => boolean) {
  const there = new World();
  const story = there.stories.find(({ incident }) => wanted(incident.metric));
  if (!story) throw new Error("no such incident in the mock");
  visit(`/incidents/${story.incident.id}`, there);
  const patient = { timeout: 10_000 }; // the page's code is loaded when it is first shown
  await screen.findByRole("heading", { name: "Root cause" }, patient);
}

describe("the root cause of an incident", () => {
  test("a cause elsewhere shows its way, what is for it, and the runner-up", async () => {
    await page((metric) => metric.startsWith("postgres."));
    const way = await screen.findByRole("list", { name: "From the cause to the symptom" });
    const said = within(way).getAllByRole("listitem").map((step) => step.textContent);
    expect(said[0]).toBe("service:orders");
    expect(said).toHaveLength(2);
    expect(screen.getByText(/Measurements put the cause where/).textContent).toContain("app-1");
    expect(screen.getByText(/went from 20 to 4000/)).toBeTruthy();
    const names = within(way).getAllByRole("link").map((link) => link.getAttribute("href"));
    expect(names[0]).toBe("/topology?environment=production&service=orders");
    expect(names[1]).toMatch(/^\/hosts\/0f5c2b1e-/);
    const others = within(screen.getByRole("region", { name: "Others that were weighed" }));
    const rows = others.getAllByRole("row").map((row) => row.textContent);
    expect(rows[1]).toContain("runner-up");
    expect(rows[1]).toContain("0.13");
    expect(rows[1]).toContain("service:orders moved no later and explains it");
    expect(rows[2]).toContain("host:app-1");
    const steps = within(screen.getByLabelText("How it travelled")).getAllByRole("listitem");
    expect(steps.map((step) => step.textContent)).toContain("host:app-1 → service:orders");
  }, 20_000);

  test("changes stand with what they were, when and by whom", async () => {
    await page((metric) => metric.startsWith("postgres."));
    const before = await screen.findByRole("region", { name: "Changes before" });
    expect(within(before).getAllByRole("row")).toHaveLength(3);
    expect(before.textContent).toContain("ships the new list <b>at once</b>");
    expect(before.textContent).toContain("not said");
    const suspected = await screen.findByRole("region", { name: "Changes to look at" });
    const [, first, second] = within(suspected).getAllByRole("row");
    for (const said of ["4.2.0", "ships the new list", "ci", "six minutes before the symptom", "0.70"]) {
      expect(first?.textContent).toContain(said);
    }
    expect(first?.querySelector("time")).toBeTruthy();
    expect(second?.textContent).toContain("against it: it names no service");
    expect(screen.getByText(/nobody's change: score 0.05/)).toBeTruthy();
  }, 20_000);

  test("the way is drawn among the calls around it, from the cause to the symptom", async () => {
    await page((metric) => metric.startsWith("postgres."));
    const picture = await screen.findByRole("img", { name: /^The way of the cause over 2 objects/ });
    expect(picture.querySelectorAll('path[data-way="on"][marker-start]')).toHaveLength(1);
    expect(picture.querySelectorAll('path[data-way="beside"]')).toHaveLength(1);
    expect(within(picture as HTMLElement).getByText("the cause")).toBeTruthy();
    expect(within(picture as HTMLElement).getByText("seen here")).toBeTruthy();
  }, 20_000);

  test.each([
    ["what suffers calls what is at fault", [], ["service:a", "service:b"], [["b", "a", "on"]]],
    ["a call between them is the same line", [["b", "a"]], ["service:a", "service:b"], [["b", "a", "on"]]],
    ["calls around it stand beside", [["b", "a"], ["x", "b"], ["y", "z"]], ["service:a", "service:b"],
      [["b", "a", "on"], ["x", "b", undefined]]],
    ["a cause that is seen where it is has no line", [], ["host:db-1"], []],
  ])("%s", (_, calls, path, lines) => {
    const around = calls.map(([caller = "", callee = ""]) => ({ caller, callee }));
    const found = drawn({ edges: [] }, path, around);
    expect(found.map(({ caller, callee, way }) => [caller, callee, way])).toEqual(lines);
  });

  test("what others wrote stays text", async () => {
    await page((metric) => metric.startsWith("postgres."));
    expect(await screen.findByText("<b>a line</b> that is text")).toBeTruthy();
  }, 20_000);

  test("an abstention is said plainly", async () => {
    await page((metric) => !metric.startsWith("postgres."));
    expect(await screen.findByText("It abstains: nobody is blamed")).toBeTruthy();
    expect(screen.getByText(/there is no symptom to explain/)).toBeTruthy();
  }, 20_000);
});
