// The frame around every page: rooms on the left, kill switch on top, what everybody must know above.
import { Button, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { request } from "../api/client";
import { useLive, type Liveness } from "../api/live";
import { approvals, me } from "../api/queries";
import { BrokenGlass } from "./BreakGlass";
import { FrozenBanner, KillSwitch } from "./KillSwitch";
import { StepUp } from "./SecondFactor";

const ROOMS = [
  {
    name: "Now",
    rooms: [
      { to: "/", label: "Overview" },
      { to: "/incidents", label: "Incidents" },
      { to: "/approvals", label: "Approvals" },
      { to: "/alerts", label: "Alerts" },
      { to: "/silences", label: "Silences" },
      { to: "/questions", label: "Questions" },
    ],
  },
  {
    name: "Estate",
    rooms: [
      { to: "/hosts", label: "Hosts" },
      { to: "/topology", label: "Topology" },
      { to: "/playbooks", label: "Playbooks" },
    ],
  },
  {
    name: "Proof",
    rooms: [
      { to: "/audit", label: "Audit" },
      { to: "/evidence", label: "Evidence" },
      { to: "/calibration", label: "Calibration" },
      { to: "/drills", label: "Drills" },
      { to: "/backtests", label: "Backtests" },
    ],
  },
  {
    name: "People",
    rooms: [
      { to: "/users", label: "Users and roles" },
      { to: "/account", label: "Account" },
      { to: "/notices", label: "Notices" },
      { to: "/settings", label: "Settings" },
    ],
  },
] as const;

export default function Shell() {
  const live = useLive();
  const who = useQuery(me).data;
  const waiting = useQuery(approvals("pending")).data?.items.length ?? 0;
  const [menu, setMenu] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => setMenu(false), [path]);

  return (
    <div className="shell">
      <a className="skip" href="#main">Skip to the page</a>
      <header className="top">
        <button
          type="button"
          className="menu-button"
          aria-expanded={menu}
          aria-controls="rooms"
          onClick={() => setMenu(!menu)}
        >
          Menu
        </button>
        <Link to="/" className="brand" aria-label="SentienGuard, overview">
          <img src="/favicon.svg" alt="" width={22} height={22} />
          <span>SentienGuard</span>
        </Link>
        <Live state={live} />
        <div className="row end grow">
          <KillSwitch />
        </div>
      </header>
      <section className="banners" aria-label="Notices">
        <FrozenBanner />
        <BrokenGlass />
        {who?.evaluation_trust && (
          <div className="banner" data-tone="warn">
            <strong>Evaluation trust:</strong> all keys were made on this machine and the offline ones
            are still here. Good for trying it out, not for production.
          </div>
        )}
      </section>
      <nav id="rooms" className="rooms" data-open={menu} aria-label="Rooms">
        {ROOMS.map((group) => (
          <div key={group.name}>
            <h2>{group.name}</h2>
            {group.rooms.map((room) => (
              <Link
                key={room.to}
                to={room.to}
                activeOptions={{ exact: room.to === "/", includeSearch: false }}
              >
                {room.label}
                {room.to === "/approvals" && waiting > 0 && (
                  <span className="count" aria-label={`${waiting} waiting`}>{waiting}</span>
                )}
              </Link>
            ))}
          </div>
        ))}
        {who && (
          <div className="self">
            <h2>{who.name}</h2>
            <SchemeButton />
            <Leave />
          </div>
        )}
      </nav>
      <main id="main" tabIndex={-1}>
        <Outlet />
      </main>
      <StepUp />
    </div>
  );
}

const LIVE_WORDS: Record<Liveness, string> = {
  connecting: "connecting",
  live: "live",
  lost: "reconnecting",
};

function Live({ state }: { state: Liveness }) {
  return (
    <span className="live" data-state={state} role="status">
      {LIVE_WORDS[state]}
    </span>
  );
}

function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const other = useComputedColorScheme("light") === "dark" ? "light" : "dark";
  return (
    <Button size="xs" variant="default" onClick={() => setColorScheme(other)}>
      {other === "dark" ? "Dark" : "Light"} colours
    </Button>
  );
}

function Leave() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const leave = useMutation({
    mutationFn: () => request<void>("POST", "/auth/logout"),
    onSuccess: async () => {
      await navigate({ to: "/login" });
      queries.clear();
    },
  });
  return (
    <Button
      size="xs"
      variant="default"
      title={leave.error ? `Still signed in: ${leave.error.message}` : undefined}
      loading={leave.isPending}
      onClick={() => leave.mutate()}
    >
      Sign out
    </Button>
  );
}
