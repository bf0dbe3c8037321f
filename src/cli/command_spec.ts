/**
 * What a command takes, declared as data; and the types of the values that
 * come of it.
 *
 * @module
 */

import { parseEndpoint } from "../io/endpoint.ts";

/** What all options of a command have. */
export interface OptionBase {
  /** What the option does, in a few words, for `--help`. */
  help: string;
  /** A letter that is short for the option, without its dash. */
  short?: string;
  /** What stands for the value in `--help`, such as `FILE`. */
  placeholder?: string;
  /**
   * Whether the variable `PORTOLAN_NAME` sets the option too.
   *
   * @default {true}
   */
  variable?: boolean;
}

/** An option with a text. */
export interface StringOption extends OptionBase {
  /** The type. */
  type: "string";
  /** The value when it is not given. */
  default?: string;
  /** All values that are allowed. */
  choices?: readonly string[];
  /** Throws an error that says what is wrong with a value. */
  check?: (value: string) => unknown;
}

/** An option with a number. */
export interface NumberOption extends OptionBase {
  /** The type; an integer has no fraction. */
  type: "number" | "integer";
  /** The value when it is not given. */
  default?: number;
  /** The least value. */
  min?: number;
  /** The greatest value. */
  max?: number;
}

/** An option without a value: `--name`, and `--no-name` to turn it off. */
export interface BooleanOption extends OptionBase {
  /** The type. */
  type: "boolean";
  /**
   * The value when it is not given.
   *
   * @default {false}
   */
  default?: boolean;
}

/** An option that may be given any number of times. */
export interface ListOption extends OptionBase {
  /** The type. In a variable the values are separated by commas. */
  type: "list";
  /** The values when none is given. */
  default?: readonly string[];
  /** Throws an error that says what is wrong with a value. */
  check?: (value: string) => unknown;
}

/** An option of a command. */
export type OptionSpec =
  | StringOption
  | NumberOption
  | BooleanOption
  | ListOption;

/** An argument of a command, known by its place. */
export interface PositionalSpec {
  /** Its name in the values. */
  name: string;
  /** What it is, in a few words, for `--help`. */
  help: string;
  /** The value when it is not given. */
  default?: string;
  /**
   * Whether the command refuses to run without it.
   *
   * @default {false}
   */
  required?: boolean;
  /**
   * Whether it takes all arguments that are left.
   *
   * @default {false}
   */
  rest?: boolean;
  /** Throws an error that says what is wrong with a value. */
  check?: (value: string) => unknown;
}

/** What a command is called, takes and is good for. */
export interface CommandSpec {
  /** Its name, which begins its error messages. */
  name: string;
  /**
   * How it is started, for `--help`.
   *
   * @default {"deno task NAME"}
   */
  command?: string;
  /** What it does, in one sentence. */
  summary: string;
  /** Command lines worth knowing, each with what it does. */
  examples?: readonly (readonly [commandLine: string, does: string])[];
  /**
   * Makes the command a server with `--listen ENDPOINT` (any number of times)
   * and `--port N`, short for `tcp://127.0.0.1:N`; these are the endpoints
   * when neither is given.
   */
  listen?: readonly string[];
  /** Its options by name; `clientCa` is `--client-ca` and PORTOLAN_CLIENT_CA. */
  options?: Readonly<Record<string, OptionSpec>>;
  /** Its arguments in order. */
  positionals?: readonly PositionalSpec[];
}

/** Options that every command has, beside `--help`. */
export interface CommonValues {
  /** Whether failures show their stack traces: `--debug`. */
  debug: boolean;
  /** Whether output is lines of JSON, for programs: `--json`. */
  json: boolean;
}

/** The type of the value of an option. */
export type OptionValue<O> = O extends { type: "boolean" } ? boolean
  : O extends { type: "list" } ? string[]
  : O extends { default: unknown } ? GivenValue<O>
  : GivenValue<O> | undefined;

/** The type of the value of an option that is given. */
export type GivenValue<O> = O extends { type: "number" | "integer" } ? number
  : O extends { choices: readonly (infer C)[] } ? C
  : string;

/** The type of the value of an argument. */
export type PositionalValue<P> = P extends { rest: true } ? string[]
  : P extends { default: string } | { required: true } ? string
  : string | undefined;

/** The type of the values of a command. */
export type CommandValues<S extends CommandSpec> =
  & CommonValues
  & (S extends { listen: readonly string[] } ? { listen: string[] } : unknown)
  & (S extends { options: infer O } ? { [K in keyof O]: OptionValue<O[K]> }
    : unknown)
  & (S extends { positionals: readonly (infer P)[] } ? {
      [Q in P as Q extends { name: infer N extends string } ? N : never]:
        PositionalValue<Q>;
    }
    : unknown);

const COMMON_OPTIONS = {
  json: {
    type: "boolean",
    help: "Print lines of JSON, for programs",
    variable: false,
  },
  debug: { type: "boolean", help: "Show stack traces of failures" },
  help: {
    type: "boolean",
    short: "h",
    help: "Show this help",
    variable: false,
  },
} as const satisfies Record<string, OptionSpec>;

const LISTEN_OPTIONS = {
  listen: {
    type: "list",
    help: "Where to listen; may be repeated",
    placeholder: "ENDPOINT",
    check: parseEndpoint,
  },
  port: {
    type: "integer",
    short: "p",
    help: "Short for --listen tcp://127.0.0.1:N; 0 takes a free port",
    min: 0,
    max: 65535,
  },
} as const satisfies Record<string, OptionSpec>;

/**
 * All options of a command, with those that every command has, by name.
 *
 * @example
 * ```ts
 * import { allOptions } from "./command_spec.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const spec = { name: "echo", summary: "Echo", listen: ["tcp://127.0.0.1:8080"] };
 * const names = Object.keys(allOptions(spec));
 * assertEquals(names, ["listen", "port", "json", "debug", "help"]);
 * ```
 */
export function allOptions(spec: CommandSpec): Record<string, OptionSpec> {
  return {
    ...(spec.listen
      ? {
        ...LISTEN_OPTIONS,
        listen: { ...LISTEN_OPTIONS.listen, default: spec.listen },
      }
      : {}),
    ...spec.options,
    ...COMMON_OPTIONS,
  };
}

/**
 * The flag of an option, without its dashes.
 *
 * @example
 * ```ts
 * import { flagName } from "./command_spec.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(flagName("clientCa"), "client-ca");
 * ```
 */
export function flagName(option: string): string {
  return option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * The variable of an option.
 *
 * @example
 * ```ts
 * import { variableName } from "./command_spec.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(variableName("clientCa"), "PORTOLAN_CLIENT_CA");
 * ```
 */
export function variableName(option: string): string {
  return `PORTOLAN_${flagName(option).replaceAll("-", "_").toUpperCase()}`;
}
