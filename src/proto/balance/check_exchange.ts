/** What a health check says to a backend, and what it must hear. */
export type CheckSpec =
  /** The backend takes connections. */
  | { readonly type: "tcp" }
  /** It speaks TLS, by a certificate that is trusted. */
  | { readonly type: "tls" }
  /** It answers an HTTP request with a status from 200 to 399. */
  | {
    readonly type: "http";
    /** What is asked for. @default {"/"} */
    readonly path?: string;
    /** The `Host` of the request. @default {the host of the endpoint} */
    readonly host?: string;
  }
  /** It answers PING as Redis does. */
  | { readonly type: "redis" }
  /** It says something, perhaps after it was told something. */
  | {
    readonly type: "exchange";
    /** What it is told. @default {""} */
    readonly send?: string;
    /** What its answer must contain. */
    readonly expect: string;
  };

/** Bytes of an answer that are looked at. */
const MAX_ANSWER_BYTES = 16 * 1024;

/** A conversation with a backend; absent where a connection is all that is wanted. */
export interface CheckExchange {
  /** What is sent first. */
  readonly request: Uint8Array;
  /**
   * Judges what has come back so far: undefined to wait for more.
   *
   * @throws {Error} If it is not what must come; the message says why.
   */
  judge(answer: Uint8Array): true | undefined;
}

/**
 * What a check says, and how it judges the answer; undefined if a connection is enough.
 *
 * @example Usage
 * ```ts
 * import { checkExchange } from "./check_exchange.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const { judge } = checkExchange({ type: "redis" }, "127.0.0.1")!;
 * const bytes = (text: string) => new TextEncoder().encode(text);
 * assertEquals(judge(bytes("+PO")), undefined);
 * assertEquals(judge(bytes("+PONG\r\n")), true);
 * assertThrows(() => judge(bytes("-LOADING\r\n")), Error, "-LOADING");
 * ```
 */
export function checkExchange(
  spec: CheckSpec,
  hostname: string,
): CheckExchange | undefined {
  switch (spec.type) {
    case "tcp":
    case "tls":
      return undefined;
    case "http": {
      const { path = "/", host = hostname } = spec;
      return exchange(
        `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n` +
          "User-Agent: portolan\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        judgeHttp,
      );
    }
    case "redis":
      return exchange("*1\r\n$4\r\nPING\r\n", judgeRedis);
    case "exchange": {
      const { send = "", expect } = spec;
      return exchange(send, (text) => text.includes(expect) || undefined);
    }
  }
}

function exchange(
  request: string,
  judge: (text: string) => true | undefined,
): CheckExchange {
  return {
    request: new TextEncoder().encode(request),
    judge(answer) {
      const text = new TextDecoder().decode(answer);
      const verdict = judge(text);
      if (verdict === undefined && answer.length >= MAX_ANSWER_BYTES) {
        throw unexpected(text);
      }
      return verdict;
    },
  };
}

function judgeHttp(text: string): true | undefined {
  const line = /^([^\n]*)\r?\n/.exec(text)?.[1];
  if (line === undefined) return undefined;
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)/.exec(line)?.[1];
  if (status === undefined || status < "200" || status >= "400") {
    throw unexpected(line);
  }
  return true;
}

function judgeRedis(text: string): true | undefined {
  if (!text.includes("\n")) return undefined;
  if (text.startsWith("+PONG")) return true;
  throw unexpected(text);
}

function unexpected(text: string): Error {
  return new Error(
    `Cannot take the answer: current value is ${
      JSON.stringify(text.slice(0, 80))
    }`,
  );
}
