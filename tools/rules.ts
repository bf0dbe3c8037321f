/**
 * What the lint rules decide, as functions of paths and nodes.
 *
 * @module
 */

import { posix } from "node:path";

/** Modules of the runtime that compute and touch nothing outside. */
const PURE_NODE_MODULES: ReadonlySet<string> = new Set([
  "node:buffer",
  "node:zlib",
]);

const SCENARIO_IMPORTS = "A scenario imports ../../mod.ts, @std/ names, " +
  "npm:name@version with the whole version, and its own files alone";

/** The folders of `src/`; each may import itself and what is not above it. */
const LAYERS: Readonly<Record<string, number>> = {
  std: 0,
  bytes: 1,
  proto: 2,
  io: 3,
  observe: 4,
  sim: 4,
  security: 5,
  server: 6,
  client: 6,
  transfer: 6,
  proxy: 6,
  datagram: 6,
  cli: 7,
};

/**
 * The layer of a file, given its path from the checkout's root: a folder of
 * `src/`, `scenarios`, or `mod.ts`; nothing for files that are not shipped.
 */
export function zone(path: string): string | undefined {
  const [top, folder] = path.split("/");
  if (top === "src") return folder;
  return path === "mod.ts" || top === "scenarios" ? top : undefined;
}

/** Tells whether a file must do without IO, clocks and chance. */
export function isPure(path: string): boolean {
  const at = zone(path);
  return at === "proto" || at === "bytes" ||
    (at === "scenarios" && /\/engine(\.ts$|\/)/.test(path));
}

/** What is wrong with an import, if anything is. */
export function importFault(
  file: string,
  specifier: string,
): string | undefined {
  if (/^\.\.?\//.test(specifier)) {
    return targetFault(file, posix.join(posix.dirname(file), specifier));
  }
  const isWhole = /^npm:(@[^/]+\/)?[^/@]+@\d+\.\d+\.\d+(\/|$)/.test(specifier);
  if (file.startsWith("scenarios/")) {
    // The client of a server that only one application needs, such as a broker, is no part of the library.
    return specifier.startsWith("@std/") || isWhole
      ? undefined
      : SCENARIO_IMPORTS;
  }
  if (specifier.startsWith("node:")) {
    return isPure(file) && !PURE_NODE_MODULES.has(specifier)
      ? "A pure core imports no node: module with side effects"
      : undefined;
  }
  return isWhole
    ? undefined
    : "A remote importer has no import map and no lock file of ours: import " +
      "a relative path or npm:name@version, with the whole version";
}

/** What is wrong with importing `target` from `file`, both from the root. */
function targetFault(file: string, target: string): string | undefined {
  if (file.startsWith("scenarios/")) {
    const own = file.split("/").slice(0, 2).join("/") + "/";
    return target === "mod.ts" || target.startsWith(own)
      ? undefined
      : SCENARIO_IMPORTS;
  }
  const from = zone(file) ?? "";
  const to = zone(target) ?? "";
  const level = file === "mod.ts" ? Infinity : LAYERS[from];
  const targetLevel = LAYERS[to];
  if (level === undefined) return `src/${from} is not in the table of layers`;
  if (targetLevel === undefined) {
    return "The library imports files of src/ alone";
  }
  return targetLevel <= level
    ? undefined
    : `Imports point down: src/${to} is above src/${from}`;
}

/** What is wrong with an error's message, as far as its text is literal. */
export function messageFault(
  node: Deno.lint.Node | undefined,
): string | undefined {
  let start: string;
  let end: string;
  let text: string;
  if (node?.type === "Literal" && typeof node.value === "string") {
    start = end = text = node.value;
  } else if (node?.type === "TemplateLiteral") {
    const quasis = node.quasis.map((quasi) => quasi.cooked);
    start = quasis[0] ?? "";
    end = quasis.at(-1) ?? "";
    text = quasis.join("");
  } else {
    return undefined;
  }
  if (/^\p{Ll}/u.test(start)) return "An error message starts upper-case";
  if (/\.$/.test(end)) return "An error message has no final period";
  if (/\w'(t|re|ve|ll)\b/.test(text)) {
    return "An error message has no contractions";
  }
  return undefined;
}
