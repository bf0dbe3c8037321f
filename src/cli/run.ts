/**
 * The one wrapper of every command: usage, signals, failures, exit codes.
 *
 * @module
 */

import { parseCommand, UsageError } from "./arguments.ts";
import type { CommandSpec, CommandValues } from "./command_spec.ts";
import { describeError } from "./describe_error.ts";
import {
  type Output,
  OutputClosedError,
  readVariable,
  standardOutput,
} from "./output.ts";
import { formatUsage } from "./usage.ts";

/** The two signals that ask a command to end. */
export type StopSignal = "SIGINT" | "SIGTERM";

/** What a command is given beside its values. */
export interface RunContext {
  /** Where to print. */
  readonly output: Output;
  /** Aborted by SIGINT and SIGTERM: finish what was begun and return. */
  readonly signal: AbortSignal;
  /** Resolves when `signal` is aborted; what a server waits for. */
  readonly stopped: Promise<void>;
  /** Prints `listening ENDPOINT` for each, once a server is ready. */
  listening(endpoints: Iterable<string>): void;
}

/** A command: returns its exit code, or nothing for 0. */
export type CommandMain<S extends CommandSpec> = (
  values: CommandValues<S>,
  context: RunContext,
) => Promise<number | void> | number | void;

/** The process around a command; tests bring their own. */
export interface Host {
  /** The command line. */
  readonly args: readonly string[];
  /** Returns an environment variable that may be read. */
  readVariable(name: string): string | undefined;
  /** Makes the output, with or without `--json`. */
  createOutput(json: boolean): Output;
  /** Calls back on every signal to end. */
  onSignal(listener: (signal: StopSignal) => void): void;
  /** Calls back on a failure that nothing caught. */
  onUncaught(listener: (error: unknown) => void): void;
  /** Ends the process at once. */
  exit(code: number): void;
}

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/**
 * Ctrl-C reaches a command that `deno task` started twice: from the terminal
 * and forwarded by the task. A person who insists is slower than that.
 */
const SAME_SIGNAL_MS = 500;
const SIGNAL_EXITS: Record<StopSignal, number> = { SIGINT: 130, SIGTERM: 143 };

/**
 * Runs a command as this process and exits: 0 when it succeeds or was stopped
 * and finished in order, 1 when it fails, 2 when its command line is at fault,
 * 130 and 143 when a signal broke off its work or came twice. Failures are one
 * line; `--debug` adds the stack. `args` is the command line, without the name of the command.
 *
 * @example
 * ```ts no-assert ignore
 * import { runMain } from "./run.ts";
 *
 * await runMain({
 *   name: "greet",
 *   summary: "Say hello.",
 *   options: { times: { type: "integer", default: 1, help: "How often" } },
 *   positionals: [{ name: "who", help: "Whom to greet", required: true }],
 * }, ({ times, who }, { output }) => {
 *   for (let n = 0; n < times; n++) output.print(`Hello, ${who}`);
 * });
 * ```
 */
export async function runMain<const S extends CommandSpec>(
  spec: S,
  main: CommandMain<S>,
  args: readonly string[] = Deno.args,
): Promise<never> {
  return Deno.exit(await runCommand(spec, main, processHost(args)));
}

/**
 * Does the work of {@linkcode runMain} in any host, and returns the exit code.
 *
 * @example
 * ```ts
 * import { Output } from "./output.ts";
 * import { runCommand } from "./run.ts";
 * import { assertEquals } from "@std/assert";
 *
 * let printed = "";
 * const code = await runCommand(
 *   { name: "greet", summary: "Say hello." },
 *   (_values, { output }) => output.print("Hello"),
 *   {
 *     args: ["--tims=3"],
 *     readVariable: () => undefined,
 *     createOutput: () => new Output({ write: (text) => printed += text }),
 *     onSignal: () => {},
 *     onUncaught: () => {},
 *     exit: () => {},
 *   },
 * );
 * assertEquals(code, 2);
 * assertEquals(
 *   printed,
 *   "greet: Cannot use --tims: no such option: " +
 *     "allowed are --json, --debug, --help\n",
 * );
 * ```
 */
export async function runCommand<const S extends CommandSpec>(
  spec: S,
  main: CommandMain<S>,
  host: Host,
): Promise<number> {
  let output = host.createOutput(false);
  let debug = host.args.includes("--debug");
  const report = (error: unknown): void => {
    output.error(`${spec.name}: ${describeError(error)}`);
    if (debug) output.error(Deno.inspect(error));
  };
  const controller = new AbortController();
  let stoppedBy: StopSignal | undefined;
  try {
    const parsed = parseCommand(spec, host.args, host.readVariable);
    if (parsed.help) {
      output.print(formatUsage(spec, output.style));
      return 0;
    }
    const { values } = parsed;
    debug = values.debug;
    output = host.createOutput(values.json);
    host.onUncaught((error) => {
      report(error);
      host.exit(EXIT_FAILURE);
    });
    host.onSignal((signal) => {
      if (stoppedBy !== undefined) host.exit(SIGNAL_EXITS[signal]);
      stoppedBy = signal;
      controller.abort(
        new DOMException(`Stopped by ${signal}`, "AbortError"),
      );
    });
    const code = await main(values, createContext(output, controller.signal));
    return code ?? 0;
  } catch (error) {
    if (error instanceof OutputClosedError) return 0;
    if (error instanceof UsageError) {
      output.error(`${spec.name}: ${describeError(error)}`);
      return EXIT_USAGE;
    }
    if (stoppedBy !== undefined && isAbort(error, controller.signal)) {
      return SIGNAL_EXITS[stoppedBy];
    }
    report(error);
    return EXIT_FAILURE;
  }
}

function createContext(output: Output, signal: AbortSignal): RunContext {
  const stopped = new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
  return {
    output,
    signal,
    stopped,
    listening(endpoints: Iterable<string>): void {
      for (const endpoint of endpoints) {
        output.print(`listening ${endpoint}`, { type: "listening", endpoint });
      }
    },
  };
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason ||
    error instanceof Error && error.name === "AbortError";
}

function processHost(args: readonly string[]): Host {
  return {
    args,
    readVariable,
    createOutput: (json) => standardOutput({ json }),
    onSignal(listener): void {
      let last = -Infinity;
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        Deno.addSignalListener(signal, () => {
          const now = performance.now();
          if (now - last < SAME_SIGNAL_MS) return;
          last = now;
          listener(signal);
        });
      }
    },
    onUncaught(listener): void {
      addEventListener("unhandledrejection", (event) => {
        event.preventDefault();
        listener(event.reason);
      });
      addEventListener("error", (event) => {
        event.preventDefault();
        listener(event.error);
      });
    },
    exit: (code) => Deno.exit(code),
  };
}
