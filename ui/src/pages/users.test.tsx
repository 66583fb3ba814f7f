// What an administrator does to an account, and whose a pseudonym of the log is.
import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { World } from "../../mock-api/world";
import { visit } from "../testing/visit";

const BEN = "ben@example.com";

describe("forgetting a person", () => {
  test("takes a reason and the name typed out, and says what was done and what is left", async () => {
    const { user, asked } = visit("/users");
    await screen.findByRole("heading", { name: "Users and roles" });
    await user.click(await screen.findByRole("button", { name: `Forget ${BEN}` }));
    const dialog = await screen.findByRole("dialog", { name: `Forget ${BEN}?` });
    const deed = within(dialog).getByRole("button", { name: "Forget them for good" });
    await user.type(within(dialog).getByLabelText(/Reason/), "request 17");
    await user.type(within(dialog).getByLabelText(/Type ben/), "ben@example.co");
    expect(deed.hasAttribute("disabled")).toBe(true);
    await user.type(within(dialog).getByLabelText(/Type ben/), "m");
    await user.click(deed);
    const told = await screen.findByText(`${BEN} was forgotten`);
    expect(told.closest("[role=status]")?.textContent).toMatch(/person_5f0c.*17 rows.*audit erase/);
    expect(asked.find(({ method }) => method === "POST")).toMatchObject({
      path: "/users/ben%40example.com/erase", body: { reason: "request 17" },
    });
    const accounts = screen.getByRole("region", { name: "Accounts" });
    await waitFor(() => expect(within(accounts).queryByText(BEN)).toBeNull());
  });

  test("is not offered for oneself, nor to who manages accounts in one environment alone", async () => {
    const there = new World();
    visit("/users", there);
    await screen.findByRole("button", { name: `Forget ${BEN}` });
    expect(screen.queryByRole("button", { name: `Forget ${there.me.name}` })).toBeNull();
    there.me.permissions = { production: ["view", "view_users", "manage_users"], staging: ["view"] };
    visit("/users", there);
    await screen.findAllByRole("button", { name: `Roles of ${BEN}` });
    expect(screen.getAllByRole("button", { name: `Forget ${BEN}` })).toHaveLength(1); // the first visit's
  });
});

describe("second factors that somebody lost", () => {
  test("are removed only after it was said what that means", async () => {
    const { user, asked } = visit("/users");
    await user.click(await screen.findByRole("button", { name: `Reset second factors of ${BEN}` }));
    expect(asked.some(({ method }) => method === "DELETE")).toBe(false);
    const dialog = await screen.findByRole("dialog");
    expect(dialog.textContent).toContain("their password alone opens the account");
    await user.click(within(dialog).getByRole("button", { name: "Remove them" }));
    expect(await screen.findByText("second factors removed")).toBeTruthy();
    expect(asked.find(({ method }) => method === "DELETE")?.path).toBe(
      "/users/ben%40example.com/factors",
    );
  });
});

describe("who is this?", () => {
  test.each([
    ["person_5f0c2d7a41e9b3860d1c9a7e5b24f683", BEN],
    ["nobody@example.com", "nobody's here, or of somebody who was forgotten"],
  ])("%s is %s", async (typed, said) => {
    const { user } = visit("/users");
    const card = await screen.findByRole("region", { name: "Who is this?" });
    await user.type(within(card).getByLabelText(/Pseudonym or name/), typed);
    await user.click(within(card).getByRole("button", { name: "Look it up" }));
    expect(await within(card).findByText(said)).toBeTruthy();
  });
});
