import { Button } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useMay } from "../api/access";
import { Problem, request } from "../api/client";
import { backtest } from "../api/queries";
import type { BacktestDetail } from "../api/types";
import { plural } from "../format";
import { Empty, Failure, Loaded } from "../parts/Loaded";
import { Card, Facts, Page } from "../parts/Page";
import { ErrandTag } from "../parts/Tag";
import { Time } from "../parts/Time";
import { Progress } from "./backtest/Progress";
import { Report } from "./backtest/Report";

const route = getRouteApi("/inside/backtests/$id");

export default function Backtest() {
  const { id } = route.useParams();
  const query = useQuery(backtest(id));
  const gone = query.error instanceof Problem && query.error.status === 404;
  return (
    <Page
      title={query.data ? `Backtest of ${plural(query.data.days, "day")}` : "Backtest"}
      actions={query.data && <End of={query.data} />}
    >
      {gone ? (
        <Empty title="No such backtest">
          The newest twenty are kept. <Link to="/backtests">All backtests</Link>
        </Empty>
      ) : (
        <Loaded query={query}>{(found) => <Whole of={found} />}</Loaded>
      )}
    </Page>
  );
}

function Whole({ of }: { of: BacktestDetail }) {
  return (
    <>
      <Card title="Asked" aside={<ErrandTag of={of.state} />}>
        {of.state === "working" && <Progress of={of} />}
        {of.state === "failed" && <p className="error path" role="alert">{of.detail}</p>}
        {of.state === "stopped" && <p className="dim">{of.detail}</p>}
        <Facts
          of={[
            ["By", <span key="by">{of.by} <Time at={of.asked_at} /></span>],
            ["Hosts count as", of.environment],
            ["Sensitivity", of.sensitivity],
            ["A person's minutes on one", String(of.minutes)],
          ]}
        />
      </Card>
      {of.report && <Report of={of.report} />}
    </>
  );
}

function End({ of }: { of: BacktestDetail }) {
  const may = useMay("change_settings");
  const queries = useQueryClient();
  const navigate = useNavigate();
  const going = of.state === "waiting" || of.state === "working";
  const end = useMutation({
    mutationFn: () => request<void>("DELETE", `/backtests/${encodeURIComponent(of.id)}`),
    onSuccess: async () => {
      if (!going) await navigate({ to: "/backtests" });
      await queries.invalidateQueries({ queryKey: ["backtests"] });
    },
  });
  return (
    <>
      <Button variant="default" disabled={!may} loading={end.isPending} onClick={() => end.mutate()}>
        {going ? "Stop" : "Forget it"}
      </Button>
      {end.error && <Failure error={end.error} />}
    </>
  );
}
