// Fails the build when the first page needs more JavaScript than promised.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT = 250; // kB gzipped, DESIGN: first load
const FIRST_PAGES = /^(Overview|Shell)-/; // what the first address loads beside the entry
const dist = new URL("../../src/sentienguard/controlplane/ui_dist/", import.meta.url);

const gzipped = (path) => gzipSync(readFileSync(new URL(path, dist)), { level: 9 }).length / 1000;

const seen = new Set();
function follow(path) {
  if (seen.has(path)) return;
  seen.add(path);
  const text = readFileSync(new URL(path, dist), "utf8");
  for (const [, name] of text.matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g)) {
    follow(`assets/${name}`);
  }
}
const html = readFileSync(new URL("index.html", dist), "utf8");
for (const [, path] of html.matchAll(/(?:src|href)="\/([\w./-]+\.js)"/g)) follow(path);
const files = readdirSync(new URL("assets/", dist));
for (const name of files) {
  if (FIRST_PAGES.test(name) && name.endsWith(".js")) follow(`assets/${name}`);
}

const first = [...seen].reduce((sum, path) => sum + gzipped(path), 0);
const all = files.filter((name) => name.endsWith(".js"));
const whole = all.reduce((sum, name) => sum + gzipped(`assets/${name}`), 0);
console.log(`first load ${first.toFixed(1)} kB of ${LIMIT} kB gzipped JavaScript; all ${whole.toFixed(1)} kB`);
if (first > LIMIT) {
  console.error(`first load is over ${LIMIT} kB: load what the first page does not need later`);
  process.exit(1);
}
