import {
  acceptUpgrade,
  wantsUpgrade,
} from "../../proto/web_socket/handshake.ts";
import type { UpgradeRules } from "../../proto/web_socket/handshake.ts";
import {
  HttpRefusal,
  type HttpRequestHead,
  readRequestHead,
  writeHead,
} from "../../proto/web_socket/http_head.ts";
import type { Clock } from "../clock.ts";
import { closeQuietly } from "../close_quietly.ts";
import { sayLastWords, writeAll } from "../greet.ts";
import type { Conn } from "../transport.ts";
import { readHeadBytes } from "./head_reader.ts";
import type { Upgrade } from "../../proto/web_socket/handshake.ts";
import type { WebSocketListenOptions } from "./options.ts";
import { sha1 } from "./sha1.ts";

/** What a server's handshakes need. */
export interface ShakeParts {
  /** What an upgrade must keep to. */
  rules: UpgradeRules;
  /** Answers plain HTTP. */
  http: WebSocketListenOptions["http"];
  /** Whether the road below is TLS. */
  secure: boolean;
  /** Its time. */
  clock: Clock;
}

/** A client's upgrade, answered. */
export interface Upgraded extends Upgrade {
  /** What the client sent after it. */
  rest: Uint8Array;
}

/**
 * Reads what a client wants of `conn`, and answers it: undefined if that was plain HTTP, or nothing, and is
 * done.
 *
 * @throws {HttpRefusal} If it is refused; `conn` is then told and closed.
 */
export async function shakeHands(
  conn: Conn,
  signal: AbortSignal,
  parts: ShakeParts,
): Promise<Upgraded | undefined> {
  const close = () => closeQuietly(conn);
  signal.addEventListener("abort", close, { once: true });
  try {
    signal.throwIfAborted();
    const bytes = await readHeadBytes(conn);
    if (bytes === undefined) return void close();
    const { head, rest } = bytes;
    const request = readRequestHead(head);
    if (!wantsUpgrade(request)) {
      await answer(conn, request, parts);
      return undefined;
    }
    const upgraded = acceptUpgrade(request, parts.rules, sha1);
    await writeAll(conn, upgraded.answer);
    signal.throwIfAborted();
    return { ...upgraded, rest };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HttpRefusal) {
      await sayLastWords(conn, refusal(error), parts.clock);
    } else {
      closeQuietly(conn);
    }
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

function refusal({ status, message, fields }: HttpRefusal): Uint8Array {
  const body = new TextEncoder().encode(`${message}\n`);
  const head = writeHead(`HTTP/1.1 ${status} Refused`, [
    ...fields,
    ["content-type", "text/plain; charset=utf-8"],
    ["content-length", String(body.length)],
    ["connection", "close"],
  ]);
  return joined(head, body);
}

function joined(head: Uint8Array, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/** Answers one plain request, and closes. */
async function answer(
  conn: Conn,
  request: HttpRequestHead,
  { http, secure, clock }: ShakeParts,
): Promise<void> {
  const { method, target, fields } = request;
  if (http === undefined) {
    throw new HttpRefusal(426, "This is a WebSocket", [
      ["upgrade", "websocket"],
    ]);
  }
  if (method !== "GET" && method !== "HEAD") {
    const allowed = [["allow", "GET, HEAD"]] as const;
    throw new HttpRefusal(405, "Only GET and HEAD are answered", allowed);
  }
  if (
    fields.has("transfer-encoding") ||
    (fields.get("content-length") ?? "0") !== "0"
  ) {
    throw new HttpRefusal(413, "A request must have no body");
  }
  const url = `http${secure ? "s" : ""}://${fields.get("host")}${target}`;
  if (!URL.canParse(url)) throw new HttpRefusal(400, "The host is no host");
  const headers = [...fields] as [string, string][];
  let response: Response;
  try {
    response = await http(new Request(url, { method, headers }));
  } catch (error) {
    const words = refusal(new HttpRefusal(500, "The server failed"));
    await sayLastWords(conn, words, clock);
    throw error;
  }
  const body = await response.bytes();
  const lines = new Headers(response.headers);
  lines.set("content-length", String(body.length));
  lines.set("connection", "close");
  lines.set("date", new Date().toUTCString());
  const { status, statusText } = response;
  const head = writeHead(`HTTP/1.1 ${status} ${statusText}`, lines);
  await writeAll(conn, method === "HEAD" ? head : joined(head, body));
  await sayLastWords(conn, new Uint8Array(0), clock);
}
