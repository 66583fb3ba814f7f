import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { incidents, type IncidentFilter } from "../api/queries";
import { IncidentTable } from "../parts/IncidentTable";
import { Empty, Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { OUTCOMES, STATUSES } from "../parts/Tag";

const route = getRouteApi("/inside/incidents");

export default function Incidents() {
  const filter = route.useSearch();
  const query = useInfiniteQuery(incidents(filter));
  return (
    <Page title="Incidents">
      <Filter filter={filter} />
      <Loaded query={query}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.items);
          if (rows.length === 0) return <Nothing filtered={Object.keys(filter).length > 0} />;
          return (
            <>
              <IncidentTable rows={rows} />
              {query.hasNextPage && (
                <Older busy={query.isFetchingNextPage} more={() => void query.fetchNextPage()} />
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

const AHEAD = "600px"; // older ones are fetched when their place comes so near to the view

/** A button for who uses keys; who scrolls gets older ones as they come near. */
function Older({ busy, more }: { busy: boolean; more: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  const latest = useRef(more);
  latest.current = more;
  useEffect(() => {
    const box = place.current;
    if (box === null || busy || !("IntersectionObserver" in window)) return undefined;
    const seen = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting) && window.scrollY > 0) latest.current();
      },
      { rootMargin: AHEAD },
    );
    seen.observe(box);
    return () => seen.disconnect();
  }, [busy]);
  return (
    <div ref={place}>
      <Button variant="default" loading={busy} onClick={more}>Show older</Button>
    </div>
  );
}

const TYPING_MS = 250; // a pause in typing that starts the search

function Filter({ filter }: { filter: IncidentFilter }) {
  const navigate = route.useNavigate();
  const set = (change: { [name in keyof IncidentFilter]: string }) =>
    void navigate({
      search: (old) =>
        Object.fromEntries(
          Object.entries({ ...old, ...change }).filter(([, value]) => value !== ""),
        ) as IncidentFilter,
      replace: true,
    });
  const [text, setText] = useState(filter.text ?? "");
  const search = useDebouncedCallback((value: string) => set({ text: value }), TYPING_MS);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => setText(filter.text ?? ""), [filter.text]);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.target !== document.body) return;
      event.preventDefault();
      field.current?.focus();
    };
    document.addEventListener("keydown", focus);
    return () => document.removeEventListener("keydown", focus);
  }, []);

  return (
    <div role="search" className="row filters">
      <TextInput
        ref={field}
        label="Search"
        placeholder="words of the summary, host, metric   ( / )"
        type="search"
        className="grow"
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          search(event.currentTarget.value.trim());
        }}
      />
      <NativeSelect
        label="Status"
        value={filter.status ?? ""}
        onChange={(event) => set({ status: event.currentTarget.value })}
        data={[{ value: "", label: "any" }, ...STATUSES]}
      />
      <NativeSelect
        label="Outcome"
        value={filter.outcome ?? ""}
        onChange={(event) => set({ outcome: event.currentTarget.value })}
        data={[{ value: "", label: "any" }, ...OUTCOMES]}
      />
      {(filter.host ?? filter.environment) !== undefined && (
        <Button variant="default" onClick={() => set({ host: "", environment: "" })}>
          Only {[filter.host, filter.environment].filter(Boolean).join(", ")} ✕
        </Button>
      )}
    </div>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  return filtered ? (
    <Empty title="No incident matches">Take a filter away to see more.</Empty>
  ) : (
    <Empty title="No incident yet">
      That is good news, or nothing is watched yet: look at the hosts. A drill shows one from start
      to end: <code>sentienguard drill run</code>.
    </Empty>
  );
}
