import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { Problem, request } from "../api/client";
import { loginWays } from "../api/queries";
import type { SecondStep } from "../api/types";
import { Failure } from "../parts/Loaded";
import { SecondFactor } from "../parts/SecondFactor";

const route = getRouteApi("/login");

export default function Login() {
  const { to, why } = route.useSearch();
  const router = useRouter();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [step, setStep] = useState<SecondStep>();
  useEffect(() => {
    document.title = "Sign in · SentienGuard";
  }, []);
  const enter = () => {
    queries.clear(); // nothing that another person read
    router.history.push(ownAddress(to));
  };
  const login = useMutation({
    mutationFn: () =>
      request<object>("POST", "/auth/login", { name: name.trim(), password }),
    onSuccess: (answer) => {
      if (isStep(answer)) setStep(answer);
      else enter();
    },
  });
  const wrong = login.error instanceof Problem && login.error.status === 401;

  if (step) {
    return (
      <main className="login">
        <div className="card stack">
          <h1>Show that it is you</h1>
          <SecondFactor
            step={step}
            send={(given) => request("POST", "/auth/login/second", given)}
            onDone={enter}
          />
        </div>
      </main>
    );
  }
  return (
    <main className="login">
      <form
        className="card stack"
        onSubmit={(event) => {
          event.preventDefault();
          login.mutate();
        }}
      >
        <h1>
          <img src="/favicon.svg" alt="" width={28} height={28} /> SentienGuard
        </h1>
        <TextInput
          label="Name"
          autoComplete="username"
          autoFocus
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        {wrong && (
          <p className="error" role="alert">Name and password do not belong together.</p>
        )}
        {login.error && !wrong && <Failure error={login.error} />}
        {why !== undefined && <p className="error" role="alert">{reasonOf(why)}</p>}
        <Button type="submit" loading={login.isPending}>Sign in</Button>
        <Provider to={ownAddress(to)} />
        <p className="dim">
          The first login was printed by <code>sentienguard up</code>.
        </p>
      </form>
    </main>
  );
}

/** The way in through the organisation's provider, where there is one. */
function Provider({ to }: { to: string }) {
  const name = useQuery(loginWays).data?.provider;
  if (!name) return null;
  return (
    <Button component="a" variant="default" href={`/api/v1/auth/provider?to=${encodeURIComponent(to)}`}>
      {name}
    </Button>
  );
}

const REASONS: Record<string, string> = {
  "began-elsewhere": "This browser did not begin that sign-in, or another one since. Begin again.",
  "too-late": "The sign-in took longer than ten minutes. Begin again.",
  "refused-there": "Your provider did not let you in.",
  "not-believed": "The provider's answer could not be believed. An administrator finds why in the audit log.",
  "no-role": "None of your groups has a role here. Ask whoever manages them.",
  "no-name": "Your provider gives you no name that can be used here.",
  "name-taken": "Somebody else here has your name. Ask an administrator.",
  "provider-away": "The provider does not answer. Try again in a moment.",
};

/** A word of our own in the address becomes a sentence of our own; any other says nothing more. */
export function reasonOf(why: string): string {
  return (Object.hasOwn(REASONS, why) ? REASONS[why] : undefined) ?? "The sign-in failed.";
}

function isStep(answer: object): answer is SecondStep {
  return "ticket" in answer;
}

/** Only an address inside this dashboard may follow a login. */
export function ownAddress(to: string | undefined): string {
  if (to === undefined || !URL.canParse(to, location.origin)) return "/";
  const target = new URL(to, location.origin);
  const own = target.origin === location.origin && target.pathname !== "/login";
  return own && to.startsWith("/") ? `${target.pathname}${target.search}${target.hash}` : "/";
}
