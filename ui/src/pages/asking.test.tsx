// Questions, notices, drills, backtests and what may run on a host, against the mock control plane.
import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";

const HOST = "/hosts/0f5c2b1e-4d7a-4c1b-9a55-000000000001";
const observer = () => {
  const there = new World();
  there.me = { ...there.me, roles: { "*": "observer" }, permissions: { "*": ["view"] } };
  return there;
};

describe("questions", () => {
  test("a chosen question has an address, and each sentence leads to its entries", async () => {
    const { user, history, asked } = visit("/questions");
    await user.click(await screen.findByRole("link", { name: "What was tried?" }));
    const answer = await screen.findByRole("region", { name: "What was tried?" });
    expect(history.location.href).toBe("/questions?text=What+was+tried%3F");
    const entry = await within(answer).findByRole("link", { name: "entry 3 of the log" });
    expect(entry.getAttribute("href")).toBe("/audit/proof/3");
    const about = within(answer).getByRole("link", { name: /^inc_/ });
    expect(about.getAttribute("href")).toBe(`/incidents/${about.textContent}`);
    expect(asked.find(({ path }) => path === "/ask")?.body).toEqual({ text: "What was tried?", incident: "" });
  });

  test("what is typed is asked with Enter, about the incident that is named", async () => {
    const { user, asked, world } = visit("/questions");
    const id = world.stories[2]?.incident.id ?? "";
    await user.type(await screen.findByLabelText("Incident"), id);
    await user.type(screen.getByLabelText("Question"), "why?{Enter}");
    await screen.findByText(new RegExp(`${id} on`));
    expect(asked.find(({ path }) => path === "/ask")?.body).toEqual({ text: "why?", incident: id });
  });

  test("where a model chose the sentences, it says which, and that they are the record's", async () => {
    visit("/questions?text=who%20touched%20it");
    expect(await screen.findByText(/ben noted: I restarted the pool/)).toBeTruthy();
    expect(screen.getByText(/Chosen by some-model@example.com; the sentences are the record's own/)).toBeTruthy();
  });

  test("what is not understood says which questions are", async () => {
    visit("/questions?text=colour%20of%20the%20sky");
    expect(await screen.findByText("I do not understand this question.")).toBeTruthy();
    expect(screen.getByText("what changed before INCIDENT?")).toBeTruthy();
  });
});

describe("notices", () => {
  test("a channel is tried, and a service that does not take it says why", async () => {
    const { user, asked } = visit("/notices");
    await user.click(await screen.findByRole("button", { name: "Send a test message to ops-chat" }));
    expect(await screen.findByText("The service took it.")).toBeTruthy();
    expect(asked.some(({ path }) => path === "/notices/channels/ops-chat/test")).toBe(true);
    await user.click(screen.getByRole("button", { name: "Send a test message to tickets" }));
    expect((await screen.findByRole("alert")).textContent).toContain("no project is called OPS");
  });

  test("messages say what became of them, and are searched by an address", async () => {
    const { world } = visit("/notices?text=failed");
    const table = await screen.findByRole("region", { name: "Newest messages" });
    await waitFor(() => expect(screen.getAllByText(/no project is called OPS/)).toHaveLength(1));
    expect(table.textContent).not.toContain("told in a digest");
    expect(world.notices).toHaveLength(7);
  });

  test("without channels it says what would make some", async () => {
    const there = new World();
    there.channels = [];
    there.notices = [];
    visit("/notices", there);
    expect(await screen.findByText("Nobody is told of anything")).toBeTruthy();
    expect(await screen.findByText("No message yet")).toBeTruthy();
  });

  test("who does not manage settings asks for none of it", async () => {
    const { asked } = visit("/notices", observer());
    expect(await screen.findByText("Channels are an administrator's to see")).toBeTruthy();
    expect(asked.some(({ path }) => path.startsWith("/notices"))).toBe(false);
  });
});

describe("what may run on a host", () => {
  test("each playbook shows the most that is permitted and the rule that decides", async () => {
    visit(`${HOST}?playbook=postgres`);
    const rows = await screen.findByRole("region", { name: "Playbooks for this host" });
    await waitFor(() => expect(rows.textContent).toContain("postgres_connection_reset"));
    expect(rows.textContent).toContain("earned autonomy: 0 of 5 verified successes here");
    expect(rows.textContent).not.toContain("cache_trim");
  });

  test("hourly budgets show what is used of them, when that was told, and what is used up", async () => {
    visit(`${HOST}?playbook=service_restart`);
    const note = await screen.findByRole("note", { name: "Hourly budget" });
    expect(note.textContent).toMatch(/^Started here in the last hour: 2 of 120, as the host\s+told, heard last .+\./);
    expect(note.textContent).not.toContain("used up");
    const rows = screen.getByRole("region", { name: "Playbooks for this host" });
    expect(within(rows).getByText(/2 of 2/).textContent).toContain("used up");
  });

  test("of a host that was never heard nothing is claimed", async () => {
    const there = new World();
    const enrolled = there.hosts();
    there.hosts = () => enrolled.map((one) => ({ ...one, last_seen: null }));
    visit(`${HOST}?playbook=service_restart`, there);
    const note = await screen.findByRole("note", { name: "Hourly budget" });
    expect(note.textContent).toBe("This host was never heard: what it has started is not known.");
  });

  test("a freeze shows at once", async () => {
    const there = new World();
    there.freeze = { frozen: true, by: "ana", at: null, reason: "x" };
    visit(`${HOST}?playbook=cache_trim`, there);
    expect((await screen.findAllByText(/execution is frozen/)).length).toBeGreaterThan(0);
  });

  test("a dry run is asked for on this very host", async () => {
    const { user, asked } = visit(`${HOST}?playbook=disk_cleanup`);
    await user.click(await screen.findByRole("button", { name: "Dry run of disk_cleanup_prod_db" }));
    await user.type(await screen.findByLabelText(/^mount/), "/var");
    await user.click(screen.getByRole("button", { name: "Ask for a dry run" }));
    await screen.findByRole("heading", { level: 1, name: /Disk|prod/ });
    expect(asked.find(({ method, path }) => method === "POST" && path.endsWith("/runs"))?.body).toEqual({
      host: "0f5c2b1e-4d7a-4c1b-9a55-000000000001", dry_run: true, note: "", parameters: { mount: "/var" },
    });
  });

  test("who may not run playbooks sees why", async () => {
    visit(`${HOST}?playbook=cache`, observer());
    const button = await screen.findByRole("button", { name: "Dry run of cache_trim" });
    expect(button.getAttribute("title")).toContain("Your role");
    expect((button as HTMLButtonElement).disabled).toBe(true);
  });
});

describe("drills", () => {
  test("numbers, last results and why one failed", async () => {
    const { user } = visit("/drills");
    expect(await screen.findByText("3 of 5")).toBeTruthy();
    expect(screen.getByRole("img", { name: "2 drills from 4.2 s to 12.6 s" })).toBeTruthy();
    const row = screen.getByText("core-dumps-fill-root-disk").closest("tr");
    if (!row) throw new Error("no row");
    expect(within(row).getByText("not as expected")).toBeTruthy();
    await user.click(within(row).getByText("why"));
    expect(within(row).getByText("outcome: escalated: nothing to remove")).toBeTruthy();
    expect(screen.getByText("nothing learnt")).toBeTruthy();
  });

  test("one is run and stopped where the owner allows it", async () => {
    const { user, asked, world } = visit("/drills?text=rotated");
    await user.click(await screen.findByRole("button", { name: "Run rotated-logs-fill-volume" }));
    await user.click(await screen.findByRole("button", { name: "Stop rotated-logs-fill-volume" }));
    await waitFor(() => expect(world.drills.runs).toHaveLength(2));
    expect(asked.some(({ method, path }) => method === "POST" && path === "/drills/rotated-logs-fill-volume/runs")).toBe(true);
  });

  test("where it is not allowed no button is there, and the command is", async () => {
    const there = new World();
    there.drills = { ...there.drills, allowed: false, runs: [], totals: null };
    visit("/drills", there);
    expect(await screen.findByText("No report of all drills here")).toBeTruthy();
    expect(screen.getByText("sentienguard drill run NAME")).toBeTruthy();
    expect(screen.queryByRole("button", { name: /^Run / })).toBeNull();
  });
});

describe("backtests", () => {
  test("one is started with what was chosen and has an address of its own", async () => {
    const { user, asked, history } = visit("/backtests");
    const days = await screen.findByLabelText("Days");
    await user.clear(days);
    await user.type(days, "30");
    await user.selectOptions(screen.getByLabelText("Sensitivity"), "high");
    await user.click(screen.getByRole("button", { name: "Start" }));
    await waitFor(() => expect(history.location.href).toBe("/backtests/btt_9"));
    expect(asked.find(({ method }) => method === "POST")?.body).toEqual({
      days: 30, environment: "production", sensitivity: "high", minutes: 30,
    });
  });

  test("days that cannot be are not asked for", async () => {
    const { user } = visit("/backtests");
    const days = await screen.findByLabelText("Days");
    await user.clear(days);
    await user.type(days, "400");
    expect((screen.getByRole("button", { name: "Start" }) as HTMLButtonElement).disabled).toBe(true);
  });

  test("its progress and why one failed show in the list", async () => {
    visit("/backtests");
    expect(await screen.findByLabelText("asking for history, 9 of 28")).toBeTruthy();
    expect(screen.getByText(/connection refused/)).toBeTruthy();
  });

  test("the report is compared with the alerts that fired", async () => {
    visit("/backtests/btt_2");
    const compared = await screen.findByRole("region", { name: "Compared with what happened" });
    expect(compared.textContent).toContain("5 of 7");
    expect(compared.textContent).toContain("CertificateExpiresSoon, 2 times");
    expect(screen.getByRole("img", { name: "14 days, at most 2 incidents on one" })).toBeTruthy();
    expect(screen.getByText("none near")).toBeTruthy();
  });

  test("without a server it says which setting names one", async () => {
    const there = new World();
    there.source = null;
    there.backtests = [];
    visit("/backtests", there);
    expect(await screen.findByText("prometheus_url")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Start" })).toBeNull();
  });

  test("one that is gone says so", async () => {
    visit("/backtests/btt_77");
    expect(await screen.findByText("No such backtest")).toBeTruthy();
  });
});
