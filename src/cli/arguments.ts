/**
 * Command lines read by a declaration: flags beat variables beat defaults,
 * and what is not declared is refused.
 *
 * @module
 */

import { parseArgs } from "../std/cli.ts";
import {
  allOptions,
  type CommandSpec,
  type CommandValues,
  flagName,
  type OptionSpec,
  variableName,
} from "./command_spec.ts";
import { closestMatch } from "./suggest.ts";

/**
 * The command line is at fault; the message says how and what is allowed. A
 * command throws it where its declaration cannot say all, and exits with 2.
 *
 * @example
 * ```ts
 * import { UsageError } from "./arguments.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new UsageError("Cannot use --key without --cert");
 * assertEquals(error.name, "UsageError");
 * ```
 */
export class UsageError extends Error {
  /** The name that stack traces show. */
  override readonly name = "UsageError";
}

/** What {@linkcode parseCommand} returns. */
export type ParsedCommand<S extends CommandSpec> =
  /** `--help` was given, so nothing else was looked at. */
  | { help: true }
  /** The values of all options and arguments, by name. */
  | { help: false; values: CommandValues<S> };

/**
 * Reads a command line by its declaration. `readVariable` returns the value of
 * an environment variable, or `undefined` where it is not set or not permitted.
 *
 * @throws {UsageError} If the command line or a variable is at fault.
 *
 * @example
 * ```ts
 * import { parseCommand } from "./arguments.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const spec = {
 *   name: "send",
 *   summary: "Send files",
 *   options: { window: { type: "integer", default: 16, help: "Frames" } },
 *   positionals: [{ name: "to", help: "Where", required: true }],
 * } as const;
 * const parsed = parseCommand(spec, ["--window", "4", "tcp://[::1]:7000"]);
 * assertEquals(parsed, {
 *   help: false,
 *   values: { window: 4, to: "tcp://[::1]:7000", json: false, debug: false },
 * });
 * ```
 */
export function parseCommand<const S extends CommandSpec>(
  spec: S,
  args: readonly string[],
  readVariable: (name: string) => string | undefined = () => undefined,
): ParsedCommand<S> {
  const options = allOptions(spec);
  const flags = parseFlags(options, args);
  if (flags["help"] === true) return { help: true };
  if (flags.unknown !== undefined) throw unknownFlag(flags.unknown, options);
  const values: Record<string, unknown> = {};
  const fromFlags: Record<string, unknown> = {};
  const fromVariables: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    if (name === "help") continue;
    const given = flags[flagName(name)];
    if (given === undefined) {
      fromVariables[name] = readOptionVariable(name, option, readVariable);
    } else {
      fromFlags[name] = readFlag(`--${flagName(name)}`, option, given);
    }
    values[name] = fromFlags[name] ?? fromVariables[name] ?? defaultOf(option);
  }
  if (spec.listen) {
    values["listen"] = endpoints(fromFlags) ?? endpoints(fromVariables) ??
      [...spec.listen];
    delete values["port"];
  }
  readPositionals(spec, flags._, values);
  // The loops above give every declared name a value of its declared type.
  return { help: false, values: values as CommandValues<S> };
}

type Flags = Record<string, unknown> & { _: string[]; unknown?: string };

function parseFlags(
  options: Record<string, OptionSpec>,
  args: readonly string[],
): Flags {
  const names = Object.keys(options);
  const flagsOf = (...types: OptionSpec["type"][]): string[] =>
    names.filter((name) => types.includes(options[name]!.type)).map(flagName);
  const alias: Record<string, string> = {};
  for (const name of names) {
    const { short } = options[name]!;
    if (short !== undefined) alias[flagName(name)] = short;
  }
  let unknown: string | undefined;
  const booleans = flagsOf("boolean");
  // A default of `undefined` tells "not given" from "given as false".
  const absent = Object.fromEntries(booleans.map((flag) => [flag, undefined]));
  const parsed = parseArgs(args, {
    boolean: booleans,
    negatable: booleans,
    string: [...flagsOf("string", "number", "integer", "list"), "_"],
    collect: flagsOf("list"),
    default: absent,
    alias,
    unknown: (argument, key) => {
      if (key === undefined) return true;
      unknown ??= argument.replace(/=.*/s, "");
      return false;
    },
  });
  const flags: Flags = { ...parsed, _: parsed._.map(String) };
  for (const flag of flagsOf("list")) {
    if (Array.isArray(flags[flag]) && flags[flag].length === 0) {
      flags[flag] = undefined;
    }
  }
  if (unknown !== undefined) flags.unknown = unknown;
  return flags;
}

function unknownFlag(
  flag: string,
  options: Record<string, OptionSpec>,
): UsageError {
  const allowed = Object.keys(options).map((name) => `--${flagName(name)}`);
  const near = closestMatch(flag, allowed);
  const suggestion = near === undefined ? "" : ` (did you mean ${near}?)`;
  return new UsageError(
    `Cannot use ${flag}: no such option${suggestion}: allowed are ${
      allowed.join(", ")
    }`,
  );
}

function readOptionVariable(
  name: string,
  option: OptionSpec,
  readVariable: (name: string) => string | undefined,
): unknown {
  if (option.variable === false) return undefined;
  const variable = variableName(name);
  const text = readVariable(variable);
  if (text === undefined || text === "") return undefined;
  if (option.type === "boolean") {
    if (!/^(1|0|true|false)$/.test(text)) {
      throw refused(variable, "1, 0, true or false", text);
    }
    return text === "1" || text === "true";
  }
  return readFlag(
    variable,
    option,
    option.type === "list" ? text.split(",").map((part) => part.trim()) : text,
  );
}

function defaultOf(option: OptionSpec): unknown {
  if (option.type === "boolean") return option.default ?? false;
  if (option.type === "list") return [...option.default ?? []];
  return option.default;
}

function readFlag(source: string, option: OptionSpec, given: unknown): unknown {
  if (option.type === "boolean") return given;
  for (const text of Array.isArray(given) ? given : [given]) {
    if (text === "") throw new UsageError(`Cannot use ${source}: no value`);
    if ("check" in option) check(source, option.check, text);
  }
  if (option.type === "list") return given;
  const text = String(given);
  if (option.type === "string") {
    const { choices } = option;
    if (choices !== undefined && !choices.includes(text)) {
      throw refused(source, `one of ${choices.join(", ")}`, text);
    }
    return text;
  }
  const { type, min = -Infinity, max = Infinity } = option;
  const value = text.trim() === "" ? NaN : Number(text);
  const sound = type === "integer"
    ? Number.isSafeInteger(value)
    : Number.isFinite(value);
  if (!sound || value < min || value > max) {
    throw refused(source, expectedNumber(type, min, max), text);
  }
  return value;
}

function expectedNumber(type: string, min: number, max: number): string {
  const kind = type === "integer" ? "a whole number" : "a number";
  if (min === -Infinity && max === Infinity) return kind;
  if (max === Infinity) return `${kind}, at least ${min}`;
  if (min === -Infinity) return `${kind}, at most ${max}`;
  return `${kind} from ${min} to ${max}`;
}

function refused(source: string, expected: string, text: string): UsageError {
  return new UsageError(
    `Cannot use ${source}: it must be ${expected}: current value is "${text}"`,
  );
}

function check(
  source: string,
  checker: ((value: string) => unknown) | undefined,
  text: string,
): void {
  try {
    checker?.(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot use ${source}: ${reason}`, { cause: error });
  }
}

/** The endpoints that `--port` and `--listen` name; none if neither is there. */
function endpoints(given: Record<string, unknown>): string[] | undefined {
  const { listen, port } = given;
  if (listen === undefined && port === undefined) return undefined;
  return [
    ...(port === undefined ? [] : [`tcp://127.0.0.1:${port}`]),
    ...(Array.isArray(listen) ? listen.map(String) : []),
  ];
}

function readPositionals(
  spec: CommandSpec,
  args: readonly string[],
  values: Record<string, unknown>,
): void {
  const positionals = spec.positionals ?? [];
  let used = 0;
  for (const positional of positionals) {
    const { name, required, rest } = positional;
    const taken = rest ? args.slice(used) : args.slice(used, used + 1);
    used += taken.length;
    if (required && taken.length === 0) {
      throw new UsageError(
        `Cannot run without ${name.toUpperCase()}: ${positional.help}`,
      );
    }
    for (const text of taken) {
      check(name.toUpperCase(), positional.check, text);
    }
    values[name] = rest ? taken : taken[0] ?? positional.default;
  }
  if (used < args.length) {
    const names = positionals.map(({ name }) => name.toUpperCase());
    const allowed = names.length === 0
      ? "no arguments are allowed"
      : `allowed: ${names.join(" ")}`;
    throw new UsageError(`Cannot use "${args[used]}": ${allowed}`);
  }
}
