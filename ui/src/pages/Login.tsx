import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { Problem, request } from "../api/client";
import { Failure } from "../parts/Loaded";

const route = getRouteApi("/login");

export default function Login() {
  const { to } = route.useSearch();
  const router = useRouter();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  useEffect(() => {
    document.title = "Sign in · SentienGuard";
  }, []);
  const login = useMutation({
    mutationFn: () => request<unknown>("POST", "/auth/login", { name: name.trim(), password }),
    onSuccess: () => {
      queries.clear(); // nothing that another person read
      router.history.push(ownAddress(to));
    },
  });
  const wrong = login.error instanceof Problem && login.error.status === 401;

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

/** Only an address inside this dashboard may follow a login. */
export function ownAddress(to: string | undefined): string {
  if (to === undefined) return "/";
  const target = new URL(to, location.origin);
  const own = target.origin === location.origin && target.pathname !== "/login";
  return own && to.startsWith("/") ? `${target.pathname}${target.search}${target.hash}` : "/";
}
