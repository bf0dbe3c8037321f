/**
 * Reads audit logs: whether they are whole, and what they tell.
 *
 * @module
 */

import { dirname } from "node:path";
import { auditFiles, checkpointPath } from "../../security/audit_file.ts";
import { sha256 } from "../../security/audit_log.ts";
import { checkpointVerifier } from "../../security/checkpoint.ts";
import {
  type AuditRecord,
  AuditVerifier,
  openRecord,
} from "../../proto/security/audit_chain.ts";
import { UsageError } from "../arguments.ts";
import type { Output } from "../output.ts";
import { runMain } from "../run.ts";
import { sanitize } from "../sanitize.ts";

/** Runs the command and exits. */
export function run(args: readonly string[]): Promise<never> {
  return runMain(
    {
      name: "audit",
      summary: "Verify or show the audit log of a server.",
      positionals: [
        {
          name: "action",
          help: "verify or show",
          required: true,
          check: checkAction,
        },
        {
          name: "files",
          help: "The log; files that were put aside are read before it",
          required: true,
          rest: true,
        },
      ],
      options: {
        key: {
          type: "string",
          placeholder: "FILE",
          help: "Verify checkpoints with this public key in PEM, or secret",
        },
        checkpoint: {
          type: "string",
          placeholder: "FILE",
          help: "A checkpoint that the log must reach (default LOG.checkpoint)",
          variable: false,
        },
      },
      examples: [
        ["deno task audit verify audit.log", "Tell whether it is whole"],
        ["deno task audit verify audit.log --key audit.pub", "By whom, too"],
        ["deno task audit show audit.log --json", "Its records, for programs"],
      ],
    },
    async ({ action, files, key, checkpoint }, { output }) => {
      const paths = await allFiles(files);
      if (action === "show") return await show(paths, output);
      return await verify(paths, { key, checkpoint, output });
    },
    args,
  );
}

function checkAction(action: string): void {
  if (action === "verify" || action === "show") return;
  throw new UsageError(
    `it must be verify or show: current value is "${action}"`,
  );
}

/** The files of the logs that are named, each once, oldest first. */
async function allFiles(named: readonly string[]): Promise<string[]> {
  const paths = new Set<string>();
  for (const path of named.toSorted(byAge)) {
    if (/\.checkpoint$/.test(path)) continue;
    const all = isAside(path) ? [path] : await auditFiles(path);
    for (const one of all) paths.add(dirname(one) === "." ? baseOf(one) : one);
  }
  return [...paths];
}

function baseOf(path: string): string {
  return path.replace(/^(\.\/)+/, "");
}

function isAside(path: string): boolean {
  return /\.\d{6,}$/.test(path);
}

/** What was put aside comes before the file that is written. */
function byAge(a: string, b: string): number {
  const number = (path: string) =>
    isAside(path) ? Number(/\d+$/.exec(path)![0]) : Infinity;
  return number(a) === number(b) ? 0 : number(a) - number(b);
}

/** Lines without their line feeds; what comes after the last one as well. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = "";
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (cause) {
    throw new Error(`Cannot read ${path}`, { cause });
  }
  // A damaged line is read as it was when the program that wrote the log found it.
  const decoder = new TextDecoderStream("utf-8", { ignoreBOM: true });
  for await (const text of file.readable.pipeThrough(decoder)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}

async function verify(
  paths: readonly string[],
  { key, checkpoint, output }: {
    key: string | undefined;
    checkpoint: string | undefined;
    output: Output;
  },
): Promise<number> {
  const verifier = new AuditVerifier({
    hash: sha256,
    verify: key === undefined
      ? undefined
      : checkpointVerifier(await Deno.readTextFile(key)),
  });
  const fail = (file: string, line: number | undefined, reason: string) => {
    const place = line === undefined ? file : `${file}:${line}`;
    output.print(sanitize(`${place}: ${reason}`), {
      type: "fault",
      file,
      line,
      reason,
    });
    return 1;
  };
  const hashes = new Map<number, string>();
  const mustReach = await readCheckpoint(paths, checkpoint);
  for (const path of paths) {
    for await (const line of linesOf(path)) {
      const fault = verifier.line(line);
      if (fault !== undefined) return fail(path, fault.line, fault.reason);
      if (verifier.head.seq === mustReach?.record.seq) {
        hashes.set(verifier.head.seq, verifier.head.hash);
      }
    }
    const fault = verifier.fileEnded();
    if (fault !== undefined) return fail(path, fault.line, fault.reason);
  }
  const { head, firstSeq, signedSeq, tornCount } = verifier;
  const last = paths.at(-1)!;
  if (firstSeq === undefined) return fail(last, undefined, "it has no record");
  if (mustReach !== undefined) {
    const { path, record } = mustReach;
    if (record.seq > head.seq) {
      return fail(
        last,
        undefined,
        `it ends with record ${head.seq}, and ${path} has seen record ${record.seq}`,
      );
    }
    if (record.seq >= firstSeq && hashes.get(record.seq) !== record.hash) {
      return fail(
        last,
        undefined,
        `record ${record.seq} is not that of ${path}`,
      );
    }
  }
  const notes = [
    `records ${firstSeq} to ${head.seq}`,
    ...(firstSeq > 1 ? [`those before ${firstSeq} were not given`] : []),
    ...(tornCount > 0 ? [`${tornCount} torn by a crash, and noted`] : []),
    key === undefined
      ? "signatures were not looked at (--key)"
      : signedSeq === undefined
      ? "none is signed"
      : `signed up to ${signedSeq}`,
  ];
  output.print(`whole: ${notes.join("; ")}`, {
    type: "whole",
    files: paths,
    firstSeq,
    lastSeq: head.seq,
    lastHash: head.hash,
    signedSeq,
    torn: tornCount,
  });
  return 0;
}

/** The checkpoint that the log must reach: the one that is named, or the one beside the log if there is one. */
async function readCheckpoint(
  paths: readonly string[],
  named: string | undefined,
): Promise<{ path: string; record: AuditRecord } | undefined> {
  const last = paths.at(-1)!;
  // A file that was put aside ends before the checkpoint of its log.
  if (named === undefined && isAside(last)) return undefined;
  const path = named ?? checkpointPath(last);
  let line: string;
  try {
    line = await Deno.readTextFile(path);
  } catch (cause) {
    if (named === undefined && cause instanceof Deno.errors.NotFound) return;
    throw new Error(`Cannot read ${path}`, { cause });
  }
  const record = openRecord(line.trimEnd(), sha256);
  if (typeof record !== "string") return { path, record };
  throw new Error(`Cannot use the checkpoint ${path}: ${record}`);
}

/** Fields that every line begins with, or that only the chain needs. */
const FRAME = new Set(["seq", "time", "previous", "event", "hash"]);

async function show(
  paths: readonly string[],
  output: Output,
): Promise<number> {
  for (const path of paths) {
    for await (const line of linesOf(path)) {
      const record = openRecord(line, sha256);
      if (typeof record === "string") {
        output.print(sanitize(`(no record: ${record}) ${line}`), {
          type: "no record",
          file: path,
          reason: record,
          line,
        });
      } else output.print(format(record), record);
    }
  }
  return 0;
}

function format(record: AuditRecord): string {
  const { time, event } = record;
  const fields = Object.entries(record)
    .filter(([name]) => !FRAME.has(name))
    .map(([name, value]) =>
      `${name}=${
        /^[\w.:@/-]+$/.test(String(value)) ? value : JSON.stringify(value)
      }`
    );
  return sanitize([time, event.padEnd(20), ...fields].join(" ").trimEnd());
}
