import type { DeflateOptions } from "./deflate.ts";
import { acceptDeflate, acceptedDeflate, DEFLATE_OFFER } from "./extensions.ts";
import {
  hasToken,
  type HttpHead,
  HttpRefusal,
  type HttpRequestHead,
  isFieldValue,
  isToken,
  listItems,
  writeHead,
} from "./http_head.ts";

/** What a key is joined with before it is hashed (RFC 6455, 1.3). */
const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** 16 bytes in base64. */
const KEY_REGEXP = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** SHA-1 of an ASCII text, in base64. */
export type Sha1 = (text: string) => string;

/** What a server demands of an upgrade. */
export interface UpgradeRules {
  /** The path to ask for; a query beside it is the program's. */
  path: string;
  /** Web origins that may connect beside the server's own; `*` is any. */
  origins: readonly string[];
  /** Subprotocols, the best first. */
  protocols: readonly string[];
  /** How to compress; undefined to decline that. */
  deflate: Required<DeflateOptions> | undefined;
}

/** What an upgrade agreed on. */
export interface Upgrade {
  /** The subprotocol; undefined if there is none. */
  protocol: string | undefined;
  /** How this side compresses; undefined without permessage-deflate. */
  deflate: Required<DeflateOptions> | undefined;
}

/** Whether a request asks for a WebSocket, well or badly; any other is plain HTTP. */
export function wantsUpgrade({ fields }: HttpRequestHead): boolean {
  return fields.has("upgrade") || fields.has("sec-websocket-key");
}

/**
 * Checks a client's upgrade (RFC 6455, 4.2.1).
 *
 * @returns What was agreed on, and the bytes of the answer.
 * @throws {HttpRefusal} If it breaks a rule.
 */
export function acceptUpgrade(
  { method, target, fields }: HttpRequestHead,
  rules: UpgradeRules,
  sha1: Sha1,
): Upgrade & { answer: Uint8Array<ArrayBuffer> } {
  if (method !== "GET") {
    throw new HttpRefusal(405, "An upgrade must be a GET", [["allow", "GET"]]);
  }
  if (pathOf(target) !== pathOf(rules.path)) {
    throw new HttpRefusal(404, "There is no WebSocket here");
  }
  if (
    !hasToken(fields.get("upgrade"), "websocket") ||
    !hasToken(fields.get("connection"), "upgrade")
  ) {
    throw new HttpRefusal(426, "An upgrade to websocket is needed", [
      ["upgrade", "websocket"],
    ]);
  }
  if (fields.get("sec-websocket-version") !== "13") {
    throw new HttpRefusal(426, "WebSocket version 13 is needed", [
      ["upgrade", "websocket"],
      ["sec-websocket-version", "13"],
    ]);
  }
  const key = fields.get("sec-websocket-key") ?? "";
  if (!KEY_REGEXP.test(key)) {
    throw new HttpRefusal(400, "sec-websocket-key is not 16 bytes in base64");
  }
  if (fields.has("transfer-encoding") || fields.has("content-length")) {
    throw new HttpRefusal(400, "An upgrade must have no body");
  }
  checkOrigin(fields, rules.origins);
  const protocol = chooseProtocol(fields, rules.protocols);
  const { deflate, answer: extensions } = agreeOnDeflate(fields, rules) ?? {};
  const answer: [string, string][] = [
    ["upgrade", "websocket"],
    ["connection", "Upgrade"],
    ["sec-websocket-accept", sha1(key + KEY_SUFFIX)],
  ];
  if (protocol !== undefined) answer.push(["sec-websocket-protocol", protocol]);
  if (extensions !== undefined) {
    answer.push(["sec-websocket-extensions", extensions]);
  }
  return {
    protocol,
    deflate,
    answer: writeHead("HTTP/1.1 101 Switching Protocols", answer),
  };
}

function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? target : target.slice(0, query);
}

/**
 * Browsers let any page connect anywhere, with the user's cookies and past his firewall, and only tell the page's
 * origin. So a page must come from the host that it connects to, or be named. Programs send no origin.
 */
function checkOrigin(
  fields: ReadonlyMap<string, string>,
  origins: readonly string[],
): void {
  const origin = fields.get("origin");
  if (origin === undefined || origins.includes("*")) return;
  const own = /^https?:\/\/(.+)$/i.exec(origin)?.[1];
  if (own !== undefined && own.toLowerCase() === ownHost(fields, origin)) {
    return;
  }
  if (origins.some((each) => each.toLowerCase() === origin.toLowerCase())) {
    return;
  }
  const shown = origin.slice(0, 100);
  throw new HttpRefusal(403, `The origin is not allowed: ${shown}`);
}

/** The host that was asked for, as an origin names it: without the default port. */
function ownHost(fields: ReadonlyMap<string, string>, origin: string): string {
  const port = /^https:/i.test(origin) ? /:443$/ : /:80$/;
  return fields.get("host")!.toLowerCase().replace(port, "");
}

function chooseProtocol(
  fields: ReadonlyMap<string, string>,
  protocols: readonly string[],
): string | undefined {
  const offered = listItems(fields.get("sec-websocket-protocol"));
  if (!offered.every(isToken) || new Set(offered).size < offered.length) {
    throw new HttpRefusal(400, "sec-websocket-protocol is malformed");
  }
  return protocols.find((protocol) => offered.includes(protocol));
}

function agreeOnDeflate(
  fields: ReadonlyMap<string, string>,
  { deflate }: UpgradeRules,
): ReturnType<typeof acceptDeflate> {
  if (deflate === undefined) return undefined;
  try {
    return acceptDeflate(fields.get("sec-websocket-extensions"), deflate);
  } catch (error) {
    throw new HttpRefusal(400, (error as Error).message);
  }
}

/** What a client asks for. */
export interface UpgradeRequest {
  /** The server's name, and its port unless that is the scheme's. */
  host: string;
  /** Path and query. */
  path: string;
  /** 16 random bytes in base64. */
  key: string;
  /** Subprotocols, the best first. */
  protocols: readonly string[];
  /** How to compress; undefined to offer no compression. */
  deflate: Required<DeflateOptions> | undefined;
  /** More fields, such as `authorization`. */
  fields: readonly (readonly [string, string])[];
}

/**
 * Writes a client's upgrade (RFC 6455, 4.1).
 *
 * @throws {TypeError} If a field or a subprotocol is not one that HTTP can carry.
 */
export function writeUpgradeRequest(
  { host, path, key, protocols, deflate, fields }: UpgradeRequest,
): Uint8Array<ArrayBuffer> {
  for (const [name, value] of fields) {
    if (!isToken(name) || !isFieldValue(value)) {
      throw new TypeError(
        `Cannot upgrade: a header field is malformed: current value is "${name}: ${value}"`,
      );
    }
  }
  if (!protocols.every(isToken)) {
    throw new TypeError(
      `Cannot upgrade: a subprotocol is no token: current value is ${
        JSON.stringify(protocols)
      }`,
    );
  }
  const all: (readonly [string, string])[] = [
    ["host", host],
    ["upgrade", "websocket"],
    ["connection", "Upgrade"],
    ["sec-websocket-key", key],
    ["sec-websocket-version", "13"],
    ...fields,
  ];
  if (protocols.length > 0) {
    all.push(["sec-websocket-protocol", protocols.join(", ")]);
  }
  if (deflate !== undefined) {
    all.push(["sec-websocket-extensions", DEFLATE_OFFER]);
  }
  return writeHead(`GET ${path} HTTP/1.1`, all);
}

/**
 * Checks a server's answer (RFC 6455, 4.1, end).
 *
 * @throws {SyntaxError} If it is not the one that the request must have.
 */
export function checkUpgradeAnswer(
  { line, fields }: HttpHead,
  request: Pick<UpgradeRequest, "key" | "protocols" | "deflate">,
  sha1: Sha1,
): Upgrade {
  if (!/^HTTP\/1\.1 101( |$)/.test(line)) {
    throw new SyntaxError(
      `The server does not upgrade to WebSocket: ${line.slice(0, 80)}`,
    );
  }
  if (
    !hasToken(fields.get("upgrade"), "websocket") ||
    !hasToken(fields.get("connection"), "upgrade")
  ) {
    throw new SyntaxError("The server upgrades to something else");
  }
  if (fields.get("sec-websocket-accept") !== sha1(request.key + KEY_SUFFIX)) {
    throw new SyntaxError("The server's sec-websocket-accept is wrong");
  }
  const protocol = fields.get("sec-websocket-protocol");
  if (protocol !== undefined && !request.protocols.includes(protocol)) {
    throw new SyntaxError(`The subprotocol was not offered: ${protocol}`);
  }
  const deflate = acceptedDeflate(
    fields.get("sec-websocket-extensions"),
    request.deflate,
  );
  return { protocol, deflate };
}
