import type { CheckSpec } from "../../proto/balance/check_exchange.ts";
import { BALANCE_POLICIES } from "../../proto/balance/policies.ts";
import { Networks } from "../../proto/ip.ts";
import type { ProxyLimits } from "../proxy_options.ts";
import { canonicalEndpoint, refuseMixture } from "./endpoints.ts";
import {
  boolean,
  choice,
  list,
  LocatedJson,
  number,
  object,
  type Reader,
  text,
  whole,
} from "./located_json.ts";
import { refuseLoop } from "./loop.ts";
import type { BalanceSettings, BalanceTarget } from "./options.ts";

/** What a configuration file says. */
export interface BalanceConfig extends BalanceSettings {
  /** Where to listen. */
  listen: string[];
  /** See `ProxyOptions`. */
  allow?: string[];
  /** See `ProxyOptions`. */
  deny?: string[];
  /** See `ProxyOptions`. */
  trustedProxies?: string[];
  /** See `ProxyOptions`. */
  limits?: ProxyLimits;
}

const endpoint = text(canonicalEndpoint);
const network = text((one) => new Networks([one]));
const milliseconds = number(1);

const CHECK_FIELDS = {
  type: choice("tcp", "tls", "http", "redis", "exchange"),
  path: text(),
  host: text(),
  send: text(),
  expect: text(),
};

const readCheckObject = object(CHECK_FIELDS);

/** A check, which is its type alone if that says all. */
const check: Reader<CheckSpec> = (value) => {
  const plain = choice("tcp", "tls", "http", "redis");
  if (!value.isObject) return { type: value.read(plain) };
  const { type, expect, ...rest } = value.read(readCheckObject);
  if (type === undefined) throw value.fault(`the key "type" is missing`);
  const wanted: readonly string[] = type === "http"
    ? ["path", "host"]
    : type === "exchange"
    ? ["send"]
    : [];
  for (const key of Object.keys(rest)) {
    if (wanted.includes(key)) continue;
    throw value.fault(`a check by ${type} has no "${key}"`);
  }
  if (type !== "exchange") {
    if (expect === undefined) return { type, ...rest };
    throw value.fault(`a check by ${type} has no "expect"`);
  }
  if (expect === undefined) throw value.fault(`the key "expect" is missing`);
  return { type, expect, ...rest };
};

const noneOr = <T>(read: Reader<T>): Reader<T | false> => (value) =>
  value.value === false ? false : read(value);

const readTargetObject = object({
  to: endpoint,
  weight: whole(1, 256),
  maxConnections: whole(1),
  backup: boolean,
  sendProxy: choice("v1", "v2"),
  check: noneOr(check),
});

/** A backend, which is its endpoint alone if that says all. */
export const readTarget: Reader<BalanceTarget> = (value) => {
  if (!value.isObject) return { to: value.read(endpoint) };
  const { to, sendProxy, ...rest } = value.read(readTargetObject);
  if (to === undefined) throw value.fault(`the key "to" is missing`);
  if (sendProxy === undefined) return { to, ...rest };
  return { to, ...rest, proxyProtocol: sendProxy === "v1" ? 1 : 2 };
};

const targets: Reader<BalanceTarget[]> = (value) => {
  const names = new Set<string>();
  return value.elements().map((element) => {
    const read = element.read(readTarget);
    const to = canonicalEndpoint(read.to);
    if (names.has(to)) throw element.fault(`the backend ${to} is there twice`);
    names.add(to);
    return { ...read, to };
  });
};

const CONFIG_FIELDS = {
  listen: list(endpoint),
  to: targets,
  policy: choice(...BALANCE_POLICIES),
  check,
  checkTimeoutMs: milliseconds,
  health: object({
    intervalMs: milliseconds,
    fastIntervalMs: milliseconds,
    downIntervalMs: milliseconds,
    jitter: number(0, 1),
    rise: whole(1),
    fall: whole(1),
  }),
  slowStartMs: number(0),
  maxQueue: whole(0),
  queueMs: milliseconds,
  maxRetries: whole(0),
  panicThreshold: number(0, 1),
  stickyMs: number(0),
  maxSticky: whole(1),
  ejection: noneOr(object({
    failureRate: number(0, 1),
    minimumThroughput: whole(1),
    windowMs: milliseconds,
    consecutiveFailures: whole(1),
    openMs: milliseconds,
    probes: whole(1),
    successRate: number(0, 1),
  })),
  allow: list(network),
  deny: list(network),
  trustedProxies: list(network),
  limits: object({
    maxConnections: whole(1),
    maxConnectionsPerSource: whole(1),
    acceptsPerSecond: number(1),
    handshakeMs: milliseconds,
    connectMs: milliseconds,
    idleMs: milliseconds,
    maxMs: milliseconds,
  }),
};

const config = object(CONFIG_FIELDS);

/**
 * Reads the configuration of a balancer from the text of the file `path`: JSON, with comments if you like.
 *
 * @throws {SyntaxError} If it is at fault; the message names line and column.
 *
 * @example Usage
 * ```ts
 * import { parseBalanceConfig } from "./config.ts";
 * import { assertThrows } from "@std/assert";
 *
 * const text = `{
 *   "listen": ["tcp://127.0.0.1:7000"],
 *   "to": ["tcp://127.0.0.1:7001", { "to": "tcp://127.0.0.1:7000" }]
 * }`;
 * assertThrows(
 *   () => parseBalanceConfig(text, "balance.json"),
 *   SyntaxError,
 *   "Cannot use balance.json: line 3, column 34: ",
 * );
 * ```
 */
export function parseBalanceConfig(text: string, path: string): BalanceConfig {
  const root = LocatedJson.parse(text, path);
  const { listen, to, ...rest } = root.read(config);
  for (const [key, value] of Object.entries({ listen, to })) {
    if (value !== undefined && value.length > 0) continue;
    throw root.fault(`the key "${key}" is missing, or empty`);
  }
  const located = root.members(Object.keys(CONFIG_FIELDS)).get("to")!
    .elements();
  for (const [index, { to: url }] of to!.entries()) {
    located[index]!.read(() => refuseLoop(listen!, url));
  }
  root.read(() => refuseMixture([...listen!, ...to!.map(({ to }) => to)]));
  return { listen: listen!, to: to!, ...rest };
}
