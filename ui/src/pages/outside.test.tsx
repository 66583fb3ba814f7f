// Series of other systems on the page of a host.
import { cleanup, screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";

test("series of other systems are listed, those that stopped first, and shown with their band", async () => {
  const [host] = (new World().answer("GET", "/hosts", new URLSearchParams(), undefined).body as { items: { agent_id: string }[] }).items;
  const { user, history } = visit(`/hosts/${host?.agent_id ?? ""}`);
  const table = await screen.findByRole("region", { name: "Series of other systems" });
  const [, first, second] = within(table).getAllByRole("row");
  expect(within(first as HTMLElement).getByText("stopped")).toBeTruthy();
  expect(within(first as HTMLElement).getByText("environment=production, job=app")).toBeTruthy();
  expect(within(second as HTMLElement).getByText("0.8 ± 0.1")).toBeTruthy();
  await user.click(within(table).getByRole("button", { name: "node_load1" }));
  expect(await screen.findByRole("img", { name: /job=node.*usual mean/ })).toBeTruthy();
  cleanup();
  visit(history.location.href);
  expect(await screen.findByRole("img", { name: /job=node.*usual mean/ })).toBeTruthy();
  const again = within(await screen.findByRole("region", { name: "Series of other systems" }));
  expect(again.getByRole("button", { name: "node_load1" }).closest("tr")?.dataset["chosen"]).toBe("true");
});
