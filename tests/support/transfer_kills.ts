/**
 * Kills the programs of a transfer at random moments, and sees whether it goes on.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../src/bytes/random.ts";
import { Program } from "./program.ts";
import {
  assertSameTree,
  LEAF_BYTES,
  makeTree,
  randomBytes,
  TestFolder,
  treeBytes,
} from "./transfer.ts";

/** Bytes of data a second: the kernel's buffers are small beside what is sent in the time until a kill. */
const KIB_PER_SECOND = 4 * 1024;
/** A kill comes within this time after the start of the sender. */
const KILL_WITHIN_MS = 1500;
/** What a crash may cost. */
const RESENT_BYTES = 2 * LEAF_BYTES;

/** What came of the kills. */
export interface KillReport {
  /** Kills that hit a transfer before its end. */
  kills: number;
  /** Of them, those of the receiver. */
  receiverKills: number;
  /** Trees that arrived. */
  trees: number;
  /** The most bytes that were sent twice for one tree, divided by its kills. */
  resentBytesPerKill: number;
}

/** The command line of a program of the suite, run by this very Deno without a task between. */
export function portolan(name: string, ...args: string[]): string[] {
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    "--no-check",
    "--allow-net",
    "--allow-read=/",
    "--allow-write=/",
    "src/cli/main.ts",
    name,
    ...args,
  ];
}

/** The records that a program printed with `--json`. */
export function records(program: Program): Record<string, unknown>[] {
  return program.output.split("\n").slice(0, -1).map((line) =>
    JSON.parse(line)
  );
}

/** Starts a receiver that prints records, and waits until it listens. */
export async function startReceiver(
  directory: string,
  endpoint: string,
  ...args: string[]
): Promise<Program> {
  const receiver = Program.start(
    portolan("receive", directory, "--listen", endpoint, "--json", ...args),
  );
  await receiver.until(
    "listening",
    () => records(receiver).some(({ type }) => type === "listening"),
  );
  return receiver;
}

/** Kills one side or the other `count` times, at moments that `seed` chooses, and resumes until each tree is there. */
export async function killTransfers(
  count: number,
  seed: number,
): Promise<KillReport> {
  const random = seededRandom(seed);
  using folder = new TestFolder();
  const source = folder.make("source");
  makeTree(source, seed);
  Deno.writeFileSync(`${source}/large`, randomBytes(12e6, random));
  const total = treeBytes(source);
  const endpoint = `unix:${folder.path}/socket`;
  const report = {
    kills: 0,
    receiverKills: 0,
    trees: 0,
    resentBytesPerKill: 0,
  };
  for (let tree = 0; report.kills < count; tree++) {
    const target = folder.make(`target ${tree}`);
    let receiver = await startReceiver(target, endpoint);
    let moved = 0;
    let kills = 0;
    for (let isWhole = false; !isWhole;) {
      const sender = Program.start(
        portolan(
          "send",
          `${source}/`,
          endpoint,
          "--json",
          "--retry",
          "0",
          "--limit",
          `${KIB_PER_SECOND}`,
        ),
      );
      const ended = sender.ended();
      const isReceiver = random() < 0.5;
      const kill = setTimeout(() => {
        kills++;
        if (isReceiver) report.receiverKills++;
        (isReceiver ? receiver : sender).kill("SIGKILL");
      }, random() * KILL_WITHIN_MS);
      const before = kills;
      isWhole = await ended === 0;
      clearTimeout(kill);
      if (kills > before && isReceiver) {
        await receiver.ended();
        // Of a transfer that was whole just before the kill, both have told.
        const isTold = records(receiver).some(({ type }) => type === "summary");
        moved += movedBytes(receiver) + (isTold ? 0 : movedBytes(sender));
        receiver = await startReceiver(target, endpoint);
      } else if (!isWhole) {
        assert(kills > before, `the sender failed by itself: ${sender.errors}`);
      }
    }
    await receiver.stop();
    moved += movedBytes(receiver);
    assertSameTree(target, source);
    const resent = moved - total;
    assert(
      resent <= kills * RESENT_BYTES,
      `${resent} bytes were sent twice after ${kills} kills (seed ${seed})`,
    );
    const perKill = kills === 0 ? 0 : resent / kills;
    report.kills += kills;
    report.trees++;
    report.resentBytesPerKill = Math.max(report.resentBytesPerKill, perKill);
    Deno.removeSync(target, { recursive: true });
  }
  assertEquals(report.trees > 0, true);
  return report;
}

/** Bytes that crossed the wire in the transfers that a program told of. */
function movedBytes(program: Program): number {
  return records(program)
    .filter(({ type }) => type === "summary" || type === "broke off")
    .reduce((sum, { movedBytes }) => sum + Number(movedBytes), 0);
}
