import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { mockApi } from "./mock-api/plugin.ts";

const SERVER = process.env["SENTIENGUARD_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig(({ mode }) => ({
  plugins: [react(), ...(mode === "mock" ? [mockApi()] : [])],
  server: mode === "mock" ? {} : { proxy: { "/api": SERVER, "/openapi.json": SERVER } },
  build: {
    outDir: "../src/sentienguard/controlplane/ui_dist",
    emptyOutDir: true,
    assetsInlineLimit: 0, // data: addresses would need a hole in the content policy
    modulePreload: { polyfill: false },
  },
  test: {
    environment: "jsdom",
    setupFiles: ["src/testing/setup.ts"],
    css: false,
    testTimeout: 20_000,
  },
}));
