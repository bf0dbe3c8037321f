/**
 * What the command line of `deno task balance` says about backends.
 *
 * @module
 */

import type { CheckSpec } from "../../proto/balance/check_exchange.ts";
import { BALANCE_POLICIES } from "../../proto/balance/policies.ts";
import { canonicalEndpoint } from "../../proxy/balance/endpoints.ts";
import type {
  BalanceSettings,
  BalanceTarget,
} from "../../proxy/balance/options.ts";
import { UsageError } from "../arguments.ts";
import type { CommandSpec, CommandValues } from "../command_spec.ts";

/** Options that say how backends are chosen and checked. */
export const BALANCE_FLAGS = {
  policy: {
    type: "string",
    choices: BALANCE_POLICIES,
    default: "round-robin",
    help: "How a backend is chosen",
  },
  weight: {
    type: "list",
    placeholder: "ENDPOINT=N",
    help: "Weight of a backend, 1 to 256",
    check: (text) => readPair(text, "weight"),
  },
  maxPerBackend: {
    type: "integer",
    min: 1,
    help: "Connections per backend; those beyond wait",
  },
  backup: {
    type: "list",
    placeholder: "ENDPOINT",
    help: "One more backend, for when no other is up",
    check: canonicalEndpoint,
  },
  check: {
    type: "string",
    placeholder: "KIND",
    help: "Check backends by tcp, tls, redis, http, http:/PATH or expect:TEXT",
    check: readCheck,
  },
  checkSend: {
    type: "string",
    placeholder: "TEXT",
    help: "What --check expect:TEXT says first; \\r and \\n are line ends",
  },
  checkSeconds: {
    type: "number",
    default: 2,
    min: 0.01,
    help: "Time between two checks, and for a check",
  },
  rise: {
    type: "integer",
    default: 2,
    min: 1,
    help: "Good checks until a backend is up",
  },
  fall: {
    type: "integer",
    default: 3,
    min: 1,
    help: "Bad checks until a backend is down",
  },
  stickySeconds: {
    type: "number",
    default: 0,
    min: 0,
    help: "Time for which a source stays with its backend",
  },
  slowStartSeconds: {
    type: "number",
    default: 0,
    min: 0,
    help: "Time in which a backend that comes up grows to its weight",
  },
  queue: {
    type: "integer",
    default: 1_000,
    min: 0,
    help: "Connections that wait while all backends are full",
  },
  queueSeconds: {
    type: "number",
    default: 5,
    min: 0.01,
    help: "Time that they wait",
  },
  panic: {
    type: "number",
    default: 0.5,
    min: 0,
    max: 1,
    help: "Share of backends that must be up for health to count; 0 for none",
  },
  sendProxy: {
    type: "string",
    choices: ["v1", "v2"],
    help: "Tell backends where connections come from, by PROXY headers",
  },
} as const satisfies CommandSpec["options"];

/** The values of {@linkcode BALANCE_FLAGS}. */
export type BalanceValues = CommandValues<
  { name: "balance"; summary: ""; options: typeof BALANCE_FLAGS }
>;

/**
 * The settings that the command line says.
 *
 * @throws {UsageError} If it names a backend that is not there.
 */
export function readSettings(
  to: readonly string[],
  values: Omit<BalanceValues, "json" | "debug">,
): Omit<BalanceSettings, "to"> & { to: BalanceTarget[] } {
  const { maxPerBackend, sendProxy, checkSend } = values;
  const weights = new Map(
    values.weight.map((text) => readPair(text, "weight")),
  );
  const plain = (url: string): BalanceTarget => {
    const name = canonicalEndpoint(url);
    const weight = weights.get(name);
    weights.delete(name);
    return {
      to: name,
      ...(weight === undefined ? {} : { weight }),
      ...(maxPerBackend === undefined ? {} : { maxConnections: maxPerBackend }),
      ...(sendProxy === undefined
        ? {}
        : { proxyProtocol: sendProxy === "v1" ? 1 : 2 } as const),
    };
  };
  const targets = [
    ...to.map(plain),
    ...values.backup.map((url) => ({ ...plain(url), backup: true })),
  ];
  const [stranger] = weights.keys();
  if (stranger !== undefined) {
    throw new UsageError(
      `Cannot use --weight: there is no backend ${stranger}`,
    );
  }
  const check = values.check === undefined
    ? undefined
    : readCheck(values.check, checkSend);
  const checkMs = values.checkSeconds * 1000;
  return {
    to: targets,
    policy: values.policy,
    check,
    checkTimeoutMs: checkMs,
    health: { intervalMs: checkMs, rise: values.rise, fall: values.fall },
    stickyMs: values.stickySeconds * 1000,
    slowStartMs: values.slowStartSeconds * 1000,
    maxQueue: values.queue,
    queueMs: values.queueSeconds * 1000,
    panicThreshold: values.panic,
  };
}

function readPair(text: string, what: string): [string, number] {
  const at = text.lastIndexOf("=");
  const number = Number(text.slice(at + 1));
  if (at > 0 && Number.isInteger(number) && number >= 1 && number <= 256) {
    return [canonicalEndpoint(text.slice(0, at)), number];
  }
  throw new SyntaxError(
    `Cannot read ${what}: ENDPOINT=N with N from 1 to 256 is expected: current value is "${text}"`,
  );
}

function readCheck(text: string, send?: string): CheckSpec {
  const [, type, rest] = /^([a-z]+)(?::(.+))?$/s.exec(text) ?? [];
  if (type === "tcp" || type === "tls" || type === "redis") {
    if (rest === undefined) return { type };
  } else if (type === "http") {
    if (rest === undefined) return { type };
    if (rest.startsWith("/")) return { type, path: rest };
  } else if (type === "expect" && rest !== undefined) {
    return {
      type: "exchange",
      expect: lineEnds(rest),
      ...(send === undefined ? {} : { send: lineEnds(send) }),
    };
  }
  throw new SyntaxError(
    `Cannot read check: tcp, tls, redis, http, http:/PATH or expect:TEXT is expected: current value is "${text}"`,
  );
}

function lineEnds(text: string): string {
  return text.replaceAll("\\r", "\r").replaceAll("\\n", "\n");
}
