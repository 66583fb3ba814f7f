// Who is a host, and which keys are online: quarantine, release, striking off, keys.
import { screen, waitFor, within } from "@testing-library/react";
import axe from "axe-core";
import { describe, expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";

const DOUBTED = "prod-web-01.us-east-1";
const HEALTHY = "prod-db-03.us-east-1";

function addressOf(name: string): string {
  const found = new World().estate.find(({ host }) => host === name);
  if (!found) throw new Error(`the mock has no host ${name}`);
  return `/hosts/${found.agent_id}`;
}

/** Colours and sizes are judged in a real browser. */
async function expectNoBarrier() {
  const { violations } = await axe.run(document.body, {
    resultTypes: ["violations"],
    rules: { "color-contrast": { enabled: false } },
  });
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
}

const namesIn = (table: HTMLElement) =>
  within(table).getAllByRole("row").slice(1).map((row) => within(row).getAllByRole("link")[0]?.textContent);

describe("the list of hosts", () => {
  test("those in quarantine come first, are marked and counted", async () => {
    visit("/hosts");
    const table = await screen.findByRole("region", { name: "Hosts" });
    expect(namesIn(table)).toEqual([
      DOUBTED, "prod-db-01.us-east-1", HEALTHY, "staging-cache-02", "drill-01",
    ]);
    const first = within(table).getAllByRole("row")[1];
    expect(within(first as HTMLElement).getByText("in quarantine").title).toContain("two hosts use");
    const states = screen.getByRole("navigation", { name: "Which hosts" });
    expect(within(states).getAllByRole("link").map((link) => link.textContent)).toEqual([
      "all", "1 in quarantine", "1 silent",
    ]);
    await expectNoBarrier();
  });

  test("a state narrows it beside the search, and stays in the address", async () => {
    const { user, history } = visit("/hosts");
    await user.click(await screen.findByRole("link", { name: "1 in quarantine" }));
    const table = await screen.findByRole("region", { name: "Hosts" });
    await waitFor(() => expect(namesIn(table)).toEqual([DOUBTED]));
    await user.type(screen.getByLabelText("Search hosts"), "web");
    await waitFor(() => expect(history.location.href).toBe("/hosts?state=quarantine&text=web"));
    await user.type(screen.getByLabelText("Search hosts"), "x");
    expect(await screen.findByText("No host matches")).toBeTruthy();
    await user.click(screen.getByRole("link", { name: "all" }));
    expect(history.location.href).toBe("/hosts?text=webx");
  });

  test("where nothing is the matter, no state is offered", async () => {
    const there = new World();
    there.estate = there.estate.map((one) => ({ ...one, quarantined: "", silent: false }));
    visit("/hosts", there);
    await screen.findByRole("region", { name: "Hosts" });
    expect(screen.queryByRole("navigation", { name: "Which hosts" })).toBeNull();
  });
});

describe("the overview", () => {
  test("counts them beside the silent ones", async () => {
    visit("/");
    expect(await screen.findByText(/1 in quarantine, 1 silent/)).toBeTruthy();
  });

  test("says that all are heard where none is apart", async () => {
    const there = new World();
    there.estate = there.estate.map((one) => ({ ...one, quarantined: "", silent: false }));
    visit("/", there);
    expect(await screen.findByText(/all heard/)).toBeTruthy();
  });
});

describe("the root document that a host goes by", () => {
  const about = async (name: string, root_version: number, silent = false) => {
    const there = new World();
    there.estate = there.estate.map((one) => ({ ...one, root_version, silent }));
    visit(addressOf(name), there);
    return screen.findByRole("region", { name: "About" });
  };

  test("is the control plane's", async () => {
    const card = await about(HEALTHY, 3);
    expect(card.textContent).toContain("Root documentversion 3");
    expect(card.textContent).not.toContain("behind");
  });

  test("is behind it, and says when that ends", async () => {
    const card = await about(HEALTHY, 2);
    expect(within(card).getByText("behind")).toBeTruthy();
    expect(within(card).getByRole("status").textContent).toContain("goes by version 3: this host takes it within a minute");
    await expectNoBarrier();
  });

  test("stays behind while the host is away", async () => {
    const card = await about(HEALTHY, 2, true);
    expect(within(card).getByRole("status").textContent).toContain("when it is back");
  });

  test("is not known before the host said so", async () => {
    const card = await about(HEALTHY, 0);
    expect(card.textContent).toContain("Root documentnot known");
    expect(within(card).queryByRole("status")).toBeNull();
  });
});

describe("a host in quarantine", () => {
  test("says what that means and why, above everything else", async () => {
    visit(addressOf(DOUBTED));
    const banner = await screen.findByRole("region", { name: "Quarantine" });
    expect(banner.textContent).toContain("no order goes here");
    expect(banner.textContent).toContain("3 samples do not go on from the others");
    expect(banner.nextElementSibling?.textContent).toContain("Certificate ends");
    expect(screen.queryByRole("region", { name: "Strike off" })).toBeNull();
    await expectNoBarrier();
  });

  test("is released with a reason, and orders go there again", async () => {
    const { user, asked } = visit(addressOf(DOUBTED));
    await user.click(await screen.findByRole("button", { name: "Release" }));
    const dialog = within(screen.getByRole("dialog"));
    const deed = dialog.getByRole("button", { name: "Release it" });
    await user.type(dialog.getByLabelText(/Reason/), "   ");
    expect(deed).toHaveProperty("disabled", true);
    await user.type(dialog.getByLabelText(/Reason/), "put back from its snapshot ");
    await user.click(deed);
    expect(await screen.findByText(`Orders go to ${DOUBTED} again.`, { exact: false })).toBeTruthy();
    expect(screen.queryByRole("region", { name: "Quarantine" })).toBeNull();
    const post = asked.find(({ method }) => method === "POST");
    expect(post?.path).toBe(`${addressOf(DOUBTED)}/release`);
    expect(post?.body).toEqual({ reason: "put back from its snapshot" });
  });

  test("a second factor that is not fresh is asked for, and the release goes on", async () => {
    const there = new World();
    there.stale = true;
    const { user } = visit(addressOf(DOUBTED), there);
    await user.click(await screen.findByRole("button", { name: "Release" }));
    await user.type(screen.getByLabelText(/Reason/), "put back");
    await user.click(screen.getByRole("button", { name: "Release it" }));
    const step = within(await screen.findByRole("dialog", { name: "Show that it is you" }));
    await user.type(await step.findByLabelText(/Code of your app/), "123456");
    await user.click(step.getByRole("button", { name: "Go on" }));
    expect(await screen.findByText("released")).toBeTruthy();
  });

  test("who does not show it changes nothing, and reads why", async () => {
    const there = new World();
    there.stale = true;
    const { user } = visit(addressOf(DOUBTED), there);
    await user.click(await screen.findByRole("button", { name: "Release" }));
    await user.type(screen.getByLabelText(/Reason/), "put back");
    await user.click(screen.getByRole("button", { name: "Release it" }));
    const step = await screen.findByRole("dialog", { name: "Show that it is you" });
    (step as HTMLDialogElement).close();
    expect((await screen.findByRole("alert")).textContent).toContain("second factor");
    expect(there.estate.some(({ quarantined }) => quarantined !== "")).toBe(true);
  });

  test("is struck off only by who types its name", async () => {
    const { user, asked, world } = visit(addressOf(DOUBTED));
    await user.click(await screen.findByRole("button", { name: "Strike off" }));
    const dialog = within(screen.getByRole("dialog"));
    const deed = dialog.getByRole("button", { name: "Strike it off" });
    await user.type(dialog.getByLabelText(/Reason/), "its disk was copied");
    await user.type(dialog.getByLabelText(/to confirm/), "prod-web-01");
    expect(deed).toHaveProperty("disabled", true);
    await expectNoBarrier();
    await user.type(dialog.getByLabelText(/to confirm/), ".us-east-1");
    await user.click(deed);
    const told = await screen.findByText(`${DOUBTED} was struck off`);
    expect(told.closest("[role=status]")).toBe(document.activeElement);
    expect(screen.queryByRole("button", { name: /Release|Strike off/ })).toBeNull();
    expect(asked.find(({ method }) => method === "POST")?.body).toEqual({ reason: "its disk was copied" });
    expect(world.struckOff.size).toBe(1);
    await user.click(screen.getByRole("link", { name: "All hosts" }));
    expect(await screen.findByText("4 hosts")).toBeTruthy();
  });

  test("who may not judge it reads who may", async () => {
    const there = new World();
    there.me.permissions = { production: ["view"], staging: ["view", "manage_users"] };
    visit(addressOf(DOUBTED), there);
    expect(await screen.findByText(/Who manages accounts in production/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Release" })).toBeNull();
    expect(screen.queryByRole("button", { name: "Strike off" })).toBeNull();
  });
});

describe("a healthy host", () => {
  test("may be struck off too, at the end of its page", async () => {
    visit(addressOf(HEALTHY));
    const last = await screen.findByRole("region", { name: "Strike off" });
    expect(last.nextElementSibling).toBeNull();
    expect(within(last).getByRole("button", { name: "Strike off" })).toBeTruthy();
    expect(screen.queryByRole("region", { name: "Quarantine" })).toBeNull();
  });

  test("by nobody who only looks", async () => {
    const there = new World();
    there.me.permissions = { production: ["view"] };
    visit(addressOf(HEALTHY), there);
    await screen.findByText("Certificate ends");
    expect(screen.queryByRole("button", { name: "Strike off" })).toBeNull();
  });

  test.each([
    ["drill-01", /ended/],
    [HEALTHY, /^Certificate ends (?!ended).*\d\d:\d\d:\d\d$/],
  ])("%s says when its certificate ends", async (name, says) => {
    visit(addressOf(name));
    const fact = (await screen.findByText("Certificate ends")).parentElement;
    expect(fact?.textContent).toMatch(says);
  });
});

describe("keys", () => {
  test("those that need people come first and are marked, with what to do", async () => {
    visit("/settings");
    const table = await screen.findByRole("region", { name: "Keys" });
    const rows = within(table).getAllByRole("row").slice(1).map((row) => row.textContent ?? "");
    expect(rows[0]).toMatch(/certificate for people.*needs people now.*24 h ago.*have it issued again/);
    expect(rows[1]).toMatch(/dispatch key.*needs people soon.*in 9 d.*with the root keys.*sentienguard trust online-key/);
    expect(rows.slice(2).join()).not.toContain("needs people");
    expect(rows[2]).toMatch(/data key.*in 78 d.*by itself.*nothing/);
    expect(screen.getByText("2 keys need people.")).toBeTruthy();
    await expectNoBarrier();
  });

  test("where none needs anybody, that is said", async () => {
    const there = new World();
    there.keys = { ...there.keys, items: there.keys.items.filter(({ stage }) => stage === "good") };
    visit("/settings", there);
    expect(await screen.findByText("None needs anybody now.")).toBeTruthy();
  });

  test("no key at all says where to look", async () => {
    const there = new World();
    there.keys = { ...there.keys, items: [] };
    visit("/settings", there);
    expect(await screen.findByText("No key is online here")).toBeTruthy();
  });

  test("who changes settings in one environment alone is not shown them, nor refused them", async () => {
    const there = new World();
    there.me.permissions = { production: ["view", "change_settings"], staging: ["view"] };
    const { asked } = visit("/settings", there);
    await screen.findByLabelText("Search settings");
    expect(screen.queryByRole("heading", { name: /Keys/ })).toBeNull();
    expect(asked.some(({ path }) => path === "/keys")).toBe(false);
  });

  test("a refusal leaves them out", async () => {
    const there = new World();
    const answer = there.answer.bind(there);
    there.answer = (method, path, ...rest) =>
      path === "/keys" ? { status: 403, body: { title: "Not allowed" } } : answer(method, path, ...rest);
    const { asked } = visit("/settings", there);
    await waitFor(() => expect(asked.some(({ path }) => path === "/keys")).toBe(true));
    await screen.findByLabelText("Search settings");
    await waitFor(() => expect(screen.queryByRole("heading", { name: /Keys/ })).toBeNull());
    expect(screen.queryByRole("alert")).toBeNull();
  });
});
