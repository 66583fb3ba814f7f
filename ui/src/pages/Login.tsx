import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { Problem, request } from "../api/client";
import type { SecondStep } from "../api/types";
import { Failure } from "../parts/Loaded";
import { SecondFactor } from "../parts/SecondFactor";

const route = getRouteApi("/login");

export default function Login() {
  const { to } = route.useSearch();
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
        <Button type="submit" loading={login.isPending}>Sign in</Button>
        <p className="dim">
          The first login was printed by <code>sentienguard up</code>.
        </p>
      </form>
    </main>
  );
}

function isStep(answer: object): answer is SecondStep {
  return "ticket" in answer;
}

/** Only an address inside this dashboard may follow a login. */
export function ownAddress(to: string | undefined): string {
  if (to === undefined) return "/";
  const target = new URL(to, location.origin);
  const own = target.origin === location.origin && target.pathname !== "/login";
  return own && to.startsWith("/") ? `${target.pathname}${target.search}${target.hash}` : "/";
}
