import {
  checkExchange,
  type CheckSpec,
} from "../../proto/balance/check_exchange.ts";
import { writeProxyHeader } from "../../proto/proxy_protocol/write.ts";
import { alarm, type Clock } from "../../io/clock.ts";
import { closeQuietly } from "../../io/close_quietly.ts";
import { type Endpoint, parseEndpoint } from "../../io/endpoint.ts";
import { writeAll } from "../../io/greet.ts";
import type { Conn } from "../../io/transport.ts";
import type { Transports } from "../../io/transports.ts";
import { isDatagramEndpoint } from "../link/datagram_front.ts";
import type { ProxyTarget } from "../proxy_options.ts";
import { checkByDatagram } from "./datagram_check.ts";

/** Read at once of an answer. */
const READ_BYTES = 1024;

/** What one check needs. */
export interface CheckContext {
  readonly clock: Clock;
  readonly transports: Transports;
  readonly timeoutMs: number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Checks a backend once.
 *
 * @throws {Error} If it is found to be down; the message says why.
 */
export async function check(
  target: ProxyTarget,
  spec: CheckSpec,
  context: CheckContext,
): Promise<void> {
  const { to, tls, proxyProtocol } = target;
  const { clock, transports, timeoutMs, signal } = context;
  if (isDatagramEndpoint(to) && spec.type === "exchange") {
    return await checkByDatagram(target, spec, context);
  }
  const endpoint = checkedEndpoint(
    parseEndpoint(to.replace(/^udp:/, "tcp:")),
    spec,
  );
  const ending = new AbortController();
  const end = () => ending.abort(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  const deadline = alarm(clock, timeoutMs, () =>
    ending.abort(
      new Deno.errors.TimedOut(
        `Cannot see an answer within ${timeoutMs} ms`,
      ),
    ));
  let conn: Conn | undefined;
  try {
    conn = await transports[endpoint.scheme].connect(endpoint, {
      signal: ending.signal,
      ...(tls === undefined ? {} : { tls }),
    });
    const opened = conn;
    ending.signal.addEventListener("abort", () => closeQuietly(opened), {
      once: true,
    });
    ending.signal.throwIfAborted();
    await converse(opened, endpoint, spec, proxyProtocol);
  } catch (error) {
    ending.signal.throwIfAborted();
    throw error;
  } finally {
    clock.cancel(deadline);
    signal.removeEventListener("abort", end);
    if (conn !== undefined) closeQuietly(conn);
  }
}

/** TLS behind a balancer that passes it through is checked by TLS. */
function checkedEndpoint(endpoint: Endpoint, spec: CheckSpec): Endpoint {
  return spec.type === "tls" && endpoint.scheme === "tcp"
    ? { ...endpoint, scheme: "tls" }
    : endpoint;
}

async function converse(
  conn: Conn,
  endpoint: Endpoint,
  spec: CheckSpec,
  proxyProtocol: 1 | 2 | undefined,
): Promise<void> {
  const hostname = "hostname" in endpoint ? endpoint.hostname : "localhost";
  const exchange = checkExchange(spec, hostname);
  // A TLS check has its handshake behind it, and a header would have to come before that.
  const header = proxyProtocol === undefined || spec.type === "tls"
    ? []
    : writeProxyHeader({
      version: proxyProtocol,
      command: "local",
      transport: "unknown",
    });
  const request = Uint8Array.of(...header, ...exchange?.request ?? []);
  if (request.length > 0) await writeAll(conn, request);
  if (exchange === undefined) return;
  let answer = new Uint8Array();
  do {
    const buffer = new Uint8Array(READ_BYTES);
    const count = await conn.read(buffer);
    if (count === null) {
      throw new Deno.errors.UnexpectedEof(
        `Cannot see an answer: the connection ended after ${answer.length} bytes`,
      );
    }
    const joined = new Uint8Array(answer.length + count);
    joined.set(answer);
    joined.set(buffer.subarray(0, count), answer.length);
    answer = joined;
  } while (exchange.judge(answer) === undefined);
}
