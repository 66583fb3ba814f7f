// What happens meanwhile, elsewhere or to the connection, never turns a click into another one.
import { act, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import type { Answer } from "../../mock-api/answers";
import { World } from "../../mock-api/world";
import { onStepUp, request } from "../api/client";
import { Stream, visit } from "../testing/visit";
import { ownAddress } from "./Login";

/** Let one request of a world be answered otherwise, for as long as `when` says so. */
function otherwise(there: World, when: (method: string, path: string) => boolean, answer: Answer) {
  const usual = there.answer.bind(there);
  there.answer = (method, path, query, body) =>
    when(method, path) ? answer : usual(method, path, query, body);
}

const refused = (status: number, title: string, detail: string, type = "about:blank"): Answer => ({
  status, body: { type, title, status, detail, instance: null },
});

describe("the kill switch", () => {
  test("still freezes when somebody else froze while its dialog was open", async () => {
    const there = new World();
    const { user, asked } = visit("/hosts", there);
    await user.click(await screen.findByRole("button", { name: "Freeze" }));
    const dialog = await screen.findByRole("dialog", { name: "Freeze all remediation?" });
    await user.type(within(dialog).getByLabelText(/Reason/), "database melts");
    there.freeze = { frozen: true, by: "ben@local", at: there.stamp(0), reason: "me too" };
    act(() => Stream.newest?.send("freeze"));
    await screen.findByText(/Frozen: nothing is executed/);
    await user.click(within(dialog).getByRole("button", { name: "Freeze everything" }));
    await waitFor(() => expect(asked.some(({ path, method }) => path === "/freeze" && method !== "GET")).toBe(true));
    expect(asked.filter(({ path }) => path === "/freeze").map(({ method }) => method)).not.toContain("DELETE");
  });
});

describe("an answer to a question that somebody else answered first", () => {
  test("says on the list that it came too late, and what was answered", async () => {
    const there = new World();
    const pending = there.stories.find(({ approval }) => approval?.status === "pending")?.approval;
    if (!pending) throw new Error("the mock asks nothing");
    const { user } = visit("/approvals", there);
    const box = await screen.findByRole("region", { name: "Approval" });
    await user.type(within(box).getByLabelText(/Note/), "not tonight");
    Object.assign(pending, { status: "approved", decided_by: "ben@local", decided_at: there.stamp(0) });
    otherwise(there, (method) => method === "POST", refused(409, "Already decided", "approved already, by ben@local"));
    await user.click(within(box).getByRole("button", { name: "Deny" }));
    expect(await screen.findByText("Nothing waits for you")).toBeTruthy();
    expect((await screen.findByRole("alert")).textContent).toContain("approved already, by ben@local");
    const answered = await screen.findByRole("region", { name: "Answered just now" });
    await waitFor(() => expect(answered.textContent).toMatch(/approved by ben@local/));
  });

  test("and one that counted stays in view with what it did", async () => {
    const { user } = visit("/approvals");
    const box = await screen.findByRole("region", { name: "Approval" });
    await user.type(within(box).getByLabelText(/Note/), "not tonight");
    await user.click(within(box).getByRole("button", { name: "Deny" }));
    const answered = await screen.findByRole("region", { name: "Answered just now" });
    await waitFor(() => expect(answered.textContent).toMatch(/denied by .*not tonight/));
    expect(screen.queryByRole("alert")).toBeNull();
  });
});

describe("another incident in the place of one", () => {
  test("is not said to be stopped because that one was", async () => {
    const there = new World();
    const [first, second] = there.stories.map(({ incident }) => incident);
    if (!first || !second) throw new Error("the mock has too few incidents");
    for (const one of [first, second]) one.status = "MITIGATING";
    const { user, history } = visit(`/incidents/${second.id}`, there); // it was looked at before
    await screen.findByRole("button", { name: "Stop" });
    act(() => history.push(`/incidents/${first.id}`));
    await screen.findByText(first.id, { selector: "code" });
    await user.click(await screen.findByRole("button", { name: "Stop" }));
    await user.click(await screen.findByText("Stop it"));
    await screen.findByText(/^stop asked for/);
    act(() => history.push(`/incidents/${second.id}`));
    await screen.findByText(second.id, { selector: "code" });
    expect(screen.queryByText(/^stop asked for/)).toBeNull();
    expect(await screen.findByRole("button", { name: "Stop" })).toBeTruthy();
  });
});

describe("a login that ended", () => {
  test("is noticed at a click, which leads to the login and back", async () => {
    const there = new World();
    const { user, history } = visit("/settings", there);
    await user.click(await screen.findByRole("button", { name: "Freeze" }));
    await user.type(await screen.findByLabelText(/Reason/), "database melts");
    there.signedIn = false;
    await user.click(screen.getByRole("button", { name: "Freeze everything" }));
    expect(await screen.findByRole("button", { name: "Sign in" })).toBeTruthy();
    expect(history.location.href).toContain("to=%2Fsettings");
  });

  test("is not what a wrong code of a second factor means", async () => {
    const there = new World();
    there.stale = true;
    const { user, history } = visit(`/hosts/${there.estate.find(({ quarantined }) => quarantined)?.agent_id}`, there);
    await user.click(await screen.findByRole("button", { name: "Release" }));
    await user.type(screen.getByLabelText(/Reason/), "put back");
    await user.click(screen.getByRole("button", { name: "Release it" }));
    const step = within(await screen.findByRole("dialog", { name: "Show that it is you" }));
    await user.type(await step.findByLabelText(/Code of your app/), "000000");
    await user.click(step.getByRole("button", { name: "Go on" }));
    expect((await step.findByRole("alert")).textContent).toContain("Not this code");
    expect(history.location.pathname).toMatch(/^\/hosts\//);
  });
});

describe("a control plane that is away while the dashboard opens", () => {
  test("is asked again at a click", async () => {
    const there = new World();
    let away = true;
    otherwise(there, (_, path) => away && path === "/auth/me", refused(503, "Not ready", "It starts."));
    const { user } = visit("/hosts", there);
    expect((await screen.findByRole("alert")).textContent).toContain("Not ready");
    away = false;
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("heading", { name: "Hosts" })).toBeTruthy();
  });
});

test("two requests that need the second factor ask for it once, and both go on", async () => {
  const there = new World();
  visit("/login", there);
  let fresh = false;
  otherwise(there, (_, path) => !fresh && path === "/findings", refused(403, "x", "", "urn:x:step-up"));
  let asks = 0;
  onStepUp(() => {
    asks += 1;
    return new Promise((shown) => setTimeout(() => { fresh = true; shown(true); }, 20));
  });
  const both = await Promise.all([request("GET", "/findings"), request("GET", "/findings")]);
  expect(both).toHaveLength(2);
  expect(asks).toBe(1);
  onStepUp(undefined);
});

test.each(["http://[", "//[", "https://elsewhere.example/x", "//elsewhere.example", "javascript:1"])(
  "an address that leads nowhere of ours ends on the overview: %s",
  (to) => expect(ownAddress(to)).toBe("/"),
);
