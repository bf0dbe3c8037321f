/**
 * The text of `--help`.
 *
 * @module
 */

import {
  allOptions,
  type CommandSpec,
  flagName,
  type OptionSpec,
  type PositionalSpec,
} from "./command_spec.ts";
import type { Style } from "./style.ts";
import { pad } from "./text.ts";

/**
 * Writes what a command does, what it takes and how it is used, from its
 * declaration.
 *
 * @example
 * ```ts
 * import { createStyle } from "./style.ts";
 * import { formatUsage } from "./usage.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const spec = { name: "echo", summary: "Send back what comes." };
 * const text = formatUsage(spec, createStyle(false));
 * assertStringIncludes(text, "Usage: deno task echo [OPTIONS]");
 * ```
 */
export function formatUsage(spec: CommandSpec, style: Style): string {
  const command = commandOf(spec);
  const positionals = spec.positionals ?? [];
  const options = Object.entries(allOptions(spec));
  const left = [
    ...positionals.map(formatPositional),
    ...options.map(([name, option]) => formatOption(name, option)),
  ];
  const width = Math.max(...left.map((text) => text.length)) + 2;
  const row = (text: string, help: string): string =>
    `  ${style.cyan(pad(text, width))}${help}`;
  const usage = [command, ...positionals.map(formatPositional), "[OPTIONS]"];
  const sections = [
    [spec.summary],
    [`${style.bold("Usage:")} ${usage.join(" ")}`],
    positionals.map((positional) =>
      row(formatPositional(positional), helpOf(positional))
    ),
    [
      style.bold("Options:"),
      ...options.map(([name, option]) =>
        row(formatOption(name, option), helpOf(option))
      ),
    ],
    (spec.examples ?? []).flatMap(([commandLine, does], index) => [
      ...(index === 0 ? [style.bold("Examples:")] : []),
      `  ${commandLine}`,
      `      ${style.dim(does)}`,
    ]),
    [variablesNote(options)],
  ];
  return sections.filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n")).join("\n\n");
}

/**
 * How a command is started.
 *
 * @example
 * ```ts
 * import { commandOf } from "./usage.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(commandOf({ name: "hub", summary: "" }), "deno task hub");
 * ```
 */
export function commandOf(spec: CommandSpec): string {
  return spec.command ?? `deno task ${spec.name}`;
}

function formatPositional({ name, required, rest }: PositionalSpec): string {
  const shown = name.toUpperCase() + (rest ? "..." : "");
  return required ? shown : `[${shown}]`;
}

function formatOption(name: string, option: OptionSpec): string {
  const short = option.short === undefined ? "" : `-${option.short}, `;
  const isNumber = option.type === "integer" || option.type === "number";
  const value = option.placeholder ?? (isNumber ? "N" : "TEXT");
  const flag = `--${flagName(name)}`;
  return short + (option.type === "boolean" ? flag : `${flag} ${value}`);
}

function helpOf(option: OptionSpec | PositionalSpec): string {
  const notes: string[] = [];
  if ("choices" in option && option.choices) {
    notes.push(option.choices.join(", "));
  }
  const { default: value } = option;
  if (Array.isArray(value) && value.length > 0) {
    notes.push(`default ${value.join(", ")}`);
  } else if (typeof value === "string" || typeof value === "number") {
    notes.push(`default ${value}`);
  }
  return option.help + (notes.length === 0 ? "" : ` (${notes.join("; ")})`);
}

function variablesNote(options: [string, OptionSpec][]): string {
  const first = options.find(([, option]) => option.variable !== false);
  const [name] = first ?? ["debug"];
  const variable = flagName(name).replaceAll("-", "_").toUpperCase();
  return `A variable sets an option too: PORTOLAN_${variable} for --${
    flagName(name)
  }. Flags beat variables.`;
}
