/**
 * Finds documentation that is missing or leads nowhere: public functions and
 * classes without a tested example, links to files or headings that do not
 * exist, and guides that do not open with something to run.
 *
 *     deno doc --json mod.ts | deno run --allow-read=. tools/check_docs.ts
 *
 * @module
 */

import { posix } from "node:path";

/** The part of `deno doc --json` that is looked at. */
export interface DocOutput {
  /** Modules by URL. */
  nodes: Record<string, {
    symbols?: {
      name: string;
      declarations: {
        kind: string;
        jsDoc?: { tags?: { kind: string; doc?: string }[] };
      }[];
    }[];
  }>;
}

/** Public functions and classes without an example that asserts something. */
export function exampleFaults(doc: DocOutput): string[] {
  const symbols = Object.values(doc.nodes).flatMap((it) => it.symbols ?? []);
  return symbols.flatMap(({ name, declarations }) => {
    if (!declarations.some(({ kind }) => /^(function|class)$/.test(kind))) {
      return [];
    }
    const examples = declarations.flatMap(({ jsDoc }) => jsDoc?.tags ?? [])
      .filter(({ kind }) => kind === "example");
    if (examples.length === 0) return [`${name}: has no @example`];
    return examples.some(({ doc }) => /```ts\b[^]*\bassert/.test(doc ?? ""))
      ? []
      : [`${name}: no @example asserts anything`];
  });
}

/** Text without what stands in fences and back-ticks. */
function prose(markdown: string): string {
  return markdown.replace(/^(```+)[^]*?^\1`*$/gm, "").replace(/`[^`\n]*`/g, "");
}

/** The anchor that a heading gets. */
function anchor(heading: string): string {
  return heading.trim().toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

/** Anchors of a document's headings. */
function anchors(markdown: string): string[] {
  const headings = markdown.replace(/^(```+)[^]*?^\1`*$/gm, "")
    .matchAll(/^#+ (.+)$/gm);
  return Array.from(headings, ([, heading]) => anchor(heading ?? ""));
}

/**
 * Relative links of a document that lead nowhere. `read` returns the text of a
 * file, an empty text for a folder, and `undefined` for what does not exist.
 */
export function linkFaults(
  path: string,
  read: (path: string) => string | undefined,
): string[] {
  const text = read(path) ?? "";
  const links = prose(text).matchAll(
    /\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)/gm,
  );
  return Array.from(links, ([, inline, reference]) => inline ?? reference ?? "")
    .filter((link) => !/^[a-z][a-z+.-]*:/i.test(link))
    .flatMap((link) => {
      const [file = "", fragment] = link.split("#");
      const target = file === ""
        ? path
        : posix.join(posix.dirname(path), decodeURIComponent(file));
      const found = read(target);
      if (found === undefined) return [`${path}: ${link} does not exist`];
      if (fragment === undefined || !target.endsWith(".md")) return [];
      return anchors(found).includes(fragment)
        ? []
        : [`${path}: ${link}: there is no such heading`];
    });
}

/** What is wrong with how a guide opens. */
export function openingFaults(path: string, markdown: string): string[] {
  const opening = markdown.split(/^## /m, 1)[0] ?? "";
  return /^(?: {4})?```(?:sh|console)$/m.test(opening)
    ? []
    : [`${path}: opens without a block of commands (\`\`\`sh)`];
}

/** Markdown files of the checkout. */
export async function* documents(folder = "."): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = posix.join(folder, name);
    if (
      isDirectory && !name.startsWith(".") &&
      !/^(testdata|node_modules)$/.test(name)
    ) {
      yield* documents(path);
    } else if (name.endsWith(".md")) yield path;
  }
}

/** The text of a file, an empty text for a folder. */
function read(path: string): string | undefined {
  try {
    return Deno.statSync(path).isDirectory ? "" : Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

if (import.meta.main) {
  const doc: DocOutput = await new Response(Deno.stdin.readable).json();
  const faults = exampleFaults(doc);
  for await (const path of documents()) {
    faults.push(...linkFaults(path, read));
    if (path.startsWith("docs/")) {
      faults.push(...openingFaults(path, read(path) ?? ""));
    }
  }
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
}
