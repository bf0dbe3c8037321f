import {
  checkExchange,
  type CheckSpec,
} from "../../proto/balance/check_exchange.ts";
import { writeProxyHeader } from "../../proto/proxy_protocol/write.ts";
import { alarm } from "../../io/clock.ts";
import { closeQuietly } from "../../io/close_quietly.ts";
import { parseDatagramEndpoint } from "../link/datagram_front.ts";
import type { ProxyTarget } from "../proxy_options.ts";
import type { CheckContext } from "./check.ts";

/**
 * Checks a backend once by a datagram, which it must answer by one.
 *
 * @throws {Error} If it does not in time, or not as it must.
 */
export async function checkByDatagram(
  { to, proxyProtocol }: ProxyTarget,
  spec: Extract<CheckSpec, { type: "exchange" }>,
  { clock, timeoutMs, signal }: Omit<CheckContext, "transports">,
): Promise<void> {
  const address = parseDatagramEndpoint(to);
  const { request, judge } = checkExchange(spec, address.hostname)!;
  const header = proxyProtocol === undefined ? [] : writeProxyHeader({
    version: 2,
    command: "local",
    transport: "unknown",
  });
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: address.hostname.includes(":") ? "::" : "0.0.0.0",
    port: 0,
  });
  const close = () => closeQuietly(socket);
  let isLate = false;
  const deadline = alarm(clock, timeoutMs, () => {
    isLate = true;
    close();
  });
  signal.addEventListener("abort", close, { once: true });
  try {
    await socket.send(Uint8Array.of(...header, ...request), address);
    const [answer] = await socket.receive();
    if (judge(answer) === true) return;
    throw new Error("Cannot take the answer: it is not what was expected");
  } catch (error) {
    if (!isLate) throw error;
    throw new Deno.errors.TimedOut(
      `Cannot see an answer within ${timeoutMs} ms`,
    );
  } finally {
    clock.cancel(deadline);
    signal.removeEventListener("abort", close);
    close();
  }
}
