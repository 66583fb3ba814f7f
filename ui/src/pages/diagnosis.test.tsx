// What an incident comes from, on its page.
import { screen, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";

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
    const steps = within(way).getAllByRole("listitem").map((step) => step.textContent);
    expect(steps[0]).toBe("service:orders");
    expect(steps).toHaveLength(2);
    expect(screen.getByText(/Measurements put the cause where/).textContent).toContain("app-1");
    expect(screen.getByText(/went from 20 to 4000/)).toBeTruthy();
    expect(screen.getByText("score 0.13")).toBeTruthy();
    expect(screen.getByText("orders 4.2.0")).toBeTruthy();
  }, 20_000);

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
