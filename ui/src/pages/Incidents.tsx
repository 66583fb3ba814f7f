import { Button, NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useLong } from "../api/lists";
import { incidents, me, type IncidentFilter } from "../api/queries";
import { narrowed, Span, Typed } from "../parts/Filters";
import { IncidentTable } from "../parts/IncidentTable";
import { Empty, Loaded } from "../parts/Loaded";
import { More } from "../parts/More";
import { Page } from "../parts/Page";
import { OUTCOMES, STATUSES } from "../parts/Tag";

const route = getRouteApi("/inside/incidents");

export default function Incidents() {
  const filter = route.useSearch();
  const query = useLong(incidents(filter));
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
                <More
                  label="Show older"
                  busy={query.isFetchingNextPage}
                  more={() => void query.fetchNextPage()}
                />
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Filter({ filter }: { filter: IncidentFilter }) {
  const navigate = route.useNavigate();
  const set = (change: IncidentFilter) =>
    void navigate({ search: (old) => narrowed({ ...old, ...change }), replace: true });
  const field = useRef<HTMLInputElement>(null);
  const places = Object.keys(useQuery(me).data?.permissions ?? {}).filter((name) => name !== "*");
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.target !== document.body) return;
      event.preventDefault();
      field.current?.focus();
    };
    document.addEventListener("keydown", focus);
    return () => document.removeEventListener("keydown", focus);
  }, []);
  const { severity, environment, host, since, until } = filter;
  const further = [severity, environment, host, since, until].filter(Boolean).length;

  return (
    <div role="search" className="stack">
      <div className="row filters">
        <Typed
          field={field}
          label="Search"
          placeholder="words of the summary, host, metric   ( / )"
          type="search"
          wide
          value={filter.text}
          set={(text) => set({ text })}
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
      </div>
      <details open={further > 0}>
        <summary>More filters{further > 0 && `: ${further} set`}</summary>
        <div className="row filters">
          <NativeSelect
            label="Severity"
            value={severity ?? ""}
            onChange={(event) => set({ severity: event.currentTarget.value })}
            data={[{ value: "", label: "any" }, "critical", "warning", "info"]}
          />
          <NativeSelect
            label="Environment"
            value={environment ?? ""}
            onChange={(event) => set({ environment: event.currentTarget.value })}
            data={[{ value: "", label: "any" }, ...new Set([...places, ...(environment ? [environment] : [])])]}
          />
          <Typed
            label="Host"
            placeholder="its whole name"
            value={host}
            set={(name) => set({ host: name })}
          />
          <Span what="Opened" since={since} until={until} set={set} />
          {further > 0 && (
            <Button
              variant="default"
              onClick={() =>
                set({ severity: "", environment: "", host: "", since: "", until: "" })
              }
            >
              Clear these filters
            </Button>
          )}
        </div>
      </details>
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
