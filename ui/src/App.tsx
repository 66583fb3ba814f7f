import { MantineProvider, createTheme } from "@mantine/core";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider, type RouterHistory } from "@tanstack/react-router";
import { useState } from "react";
import { Problem } from "./api/client";
import { makeRouter } from "./routes";

const theme = createTheme({ primaryColor: "blue", respectReducedMotion: true });

const FRESH_MS = 5_000; // live events refresh sooner; this only spares double readings

function start(history?: RouterHistory) {
  const queries = new QueryClient({
    queryCache: new QueryCache({
      onError: (error) => {
        const { pathname, href } = router.state.location;
        const expired = error instanceof Problem && error.status === 401;
        if (expired && pathname !== "/login") {
          queries.removeQueries({ queryKey: ["me"] });
          void router.navigate({ to: "/login", search: { to: href } });
        }
      },
    }),
    mutationCache: new MutationCache({
      // A wrong password is told with 401 too: whether the login ended, its own question tells.
      onError: (error) => {
        if (error instanceof Problem && error.status === 401) {
          void queries.invalidateQueries({ queryKey: ["me"] });
        }
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: FRESH_MS,
        retry: (failures, error) =>
          failures < 2 && error instanceof Problem && (error.status === 0 || error.status >= 500),
      },
    },
  });
  const router = makeRouter(queries, history);
  return { queries, router };
}

/** The style tags that Mantine would inject are switched off: its CSS file holds the same rules. */
export function App({ history }: { history?: RouterHistory }) {
  const [{ queries, router }] = useState(() => start(history));
  return (
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
