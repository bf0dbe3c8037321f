import { BalanceMachine } from "./machine.ts";
import type { BalanceInput, BalanceOutput } from "./messages.ts";
import type { BalanceMachineOptions } from "./options.ts";

/** The first line of a decision trace. */
export interface BalanceTraceStart {
  /** What chance was made of. */
  readonly seed: number;
  /** When it started. */
  readonly atMs: number;
  /** What it started with. */
  readonly options: BalanceMachineOptions;
}

/** A further line: what was told, and what came of it. */
export interface BalanceTraceStep {
  /** When. */
  readonly atMs: number;
  /** What was told. */
  readonly input: BalanceInput;
  /** What came of it; left out if nothing did. */
  readonly outputs?: readonly BalanceOutput[];
}

/** What {@linkcode replayBalance} has found. */
export interface BalanceReplay {
  /** Lines after the first. */
  readonly steps: number;
  /** Backends that were chosen. */
  readonly picks: number;
  /** The first line, counted from 1, at which the outputs were others, and what they were; undefined if all were the same. */
  readonly difference?: {
    readonly line: number;
    readonly recorded: readonly BalanceOutput[];
    readonly replayed: readonly BalanceOutput[];
  };
}

/**
 * A machine that writes down what it is told and what it decides.
 *
 * @example Usage
 * ```ts
 * import { TracedBalanceMachine } from "./trace.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const machine = new TracedBalanceMachine(
 *   { backends: [{ name: "a" }] },
 *   7,
 *   0,
 *   (line) => void lines.push(line),
 * );
 * machine.take({ type: "connection", id: 1 }, 5);
 * assertEquals(JSON.parse(lines[1]!).outputs[0].backend, "a");
 * ```
 */
export class TracedBalanceMachine extends BalanceMachine {
  readonly #write: (line: string) => void;

  /** Starts, and writes the first line; see {@linkcode BalanceMachine}. */
  constructor(
    options: BalanceMachineOptions,
    seed: number,
    nowMs: number,
    write: (line: string) => void,
  ) {
    super(options, seed, nowMs);
    this.#write = write;
    this.#line({ seed, atMs: nowMs, options });
  }

  /** See {@linkcode BalanceMachine.take}. */
  override take(input: BalanceInput, nowMs: number): BalanceOutput[] {
    const outputs = super.take(input, nowMs);
    this.#line({
      atMs: nowMs,
      input,
      ...(outputs.length === 0 ? {} : { outputs }),
    });
    return outputs;
  }

  #line(line: BalanceTraceStart | BalanceTraceStep): void {
    this.#write(
      JSON.stringify(line, (_, value) => value === Infinity ? 1e308 : value),
    );
  }
}

/**
 * Decides everything again that a trace tells of, and compares: the lines of JSON that a {@linkcode TracedBalanceMachine} has
 * written.
 *
 * @throws {SyntaxError} If a line is no JSON.
 *
 * @example Usage
 * ```ts
 * import { replayBalance, TracedBalanceMachine } from "./trace.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const options = {
 *   backends: [{ name: "a" }, { name: "b" }],
 *   policy: "random-two",
 * } as const;
 * const machine = new TracedBalanceMachine(options, 7, 0, (line) => {
 *   lines.push(line);
 * });
 * for (let id = 0; id < 10; id++) {
 *   machine.take({ type: "connection", id }, id);
 * }
 * assertEquals(replayBalance(lines), { steps: 10, picks: 10 });
 * ```
 */
export function replayBalance(lines: Iterable<string>): BalanceReplay {
  let machine: BalanceMachine | undefined;
  let steps = 0;
  let picks = 0;
  for (const text of lines) {
    if (text.trim() === "") continue;
    if (machine === undefined) {
      const { options, seed, atMs } = JSON.parse(text) as BalanceTraceStart;
      machine = new BalanceMachine(options, seed, atMs);
      continue;
    }
    const { input, atMs, outputs: recorded = [] } = JSON.parse(
      text,
    ) as BalanceTraceStep;
    const replayed = machine.take(input, atMs);
    steps++;
    picks += replayed.filter(({ type }) => type === "pick").length;
    if (JSON.stringify(replayed) !== JSON.stringify(recorded)) {
      const difference = { line: steps + 1, recorded, replayed };
      return { steps, picks, difference };
    }
  }
  return { steps, picks };
}
