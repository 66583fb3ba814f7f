// Signing in through a provider, and break-glass.
import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";
import { reasonOf } from "./Login";

function outside(provider: string): World {
  const there = new World();
  there.signedIn = false;
  there.provider = provider;
  return there;
}

describe("signing in through a provider", () => {
  test("the login page leads there and back to where one wanted to go", async () => {
    visit("/login?to=%2Fhosts%3Ftext%3Ddb", outside("Example login"));
    const link = await screen.findByRole("link", { name: "Example login" });
    expect(link.getAttribute("href")).toBe("/api/v1/auth/provider?to=%2Fhosts%3Ftext%3Ddb");
  });

  test("it leads nowhere else", async () => {
    visit("/login?to=https%3A%2F%2Fevil.example%2F", outside("Example login"));
    const link = await screen.findByRole("link", { name: "Example login" });
    expect(link.getAttribute("href")).toBe("/api/v1/auth/provider?to=%2F");
  });

  test("where there is none, nothing is offered", async () => {
    visit("/login", outside(""));
    await screen.findByRole("button", { name: "Sign in" });
    expect(screen.queryByRole("link")).toBeNull();
  });

  test.each([
    ["no-role", /None of your groups/],
    ["name-taken", /Somebody else here has your name/],
    ["<b>call 555</b>", /^The sign-in failed\.$/],
    ["toString", /^The sign-in failed\.$/],
  ])("coming back with %s says why in words of ours", async (why, said) => {
    visit(`/login?why=${encodeURIComponent(why)}`, outside("Example login"));
    expect((await screen.findByRole("alert")).textContent).toMatch(said);
    expect(reasonOf(why)).toMatch(said);
  });
});

describe("break-glass", () => {
  test("a request is announced on every page, and whoever asked does not agree to it", async () => {
    const there = new World();
    there.me.permissions = { production: ["view", "freeze", "break_glass"] };
    const { user, asked } = visit("/users", there);
    await user.click(await screen.findByRole("button", { name: "Break the glass" }));
    const dialog = await screen.findByRole("dialog");
    const send = within(dialog).getByRole("button", { name: "Ask" });
    expect(send.hasAttribute("disabled")).toBe(true);
    await user.type(within(dialog).getByLabelText(/Reason/), "the pager burns tonight");
    await user.click(send);
    const banner = await screen.findByText(/asks to freeze in production/);
    expect(banner.closest("[data-tone]")?.getAttribute("data-tone")).toBe("warn");
    expect(asked.find((one) => one.method === "POST")?.body).toEqual({
      environment: "production", purpose: "freeze", reason: "the pager burns tonight", minutes: 30,
    });
    expect(screen.queryByRole("button", { name: "Agree" })).toBeNull();
    await user.click(screen.getByRole("button", { name: "End" }));
    await waitFor(() => expect(screen.queryByText(/asks to freeze in production/)).toBeNull());
  });

  test("a second person agrees, and the banner stays for as long as it stands", async () => {
    const there = new World();
    there.me.permissions = { production: ["view", "freeze", "break_glass"] };
    there.emergencies = [{
      id: "brk_1", user: "bea@example.com", environment: "production", purpose: "run_playbook",
      reason: "the pager burns", minutes: 10, phase: "asked", asked_at: "2026-01-01T00:00:00Z",
      expires_at: "2026-01-01T00:15:00Z", agreed_by: null, agreed_at: null, ends_at: null,
      ended_by: null, ended_at: null,
    }];
    const { user } = visit("/users", there);
    await user.click(await screen.findByRole("button", { name: "Agree" }));
    const banner = await screen.findByText(/bea@example.com may run playbook in production/);
    expect(banner.closest("[data-tone]")?.getAttribute("data-tone")).toBe("bad");
    await user.click(screen.getByRole("button", { name: "End" }));
    await waitFor(() => expect(screen.queryByText(/may run playbook in production/)).toBeNull());
  });
});
