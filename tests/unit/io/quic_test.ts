import { assert, assertEquals, assertRejects } from "@std/assert";
import { parseEndpoint } from "../../../src/io/endpoint.ts";
import type { Handler, HandlerCallbacks } from "../../../src/io/handler.ts";
import type { Peer } from "../../../src/io/peer.ts";
import type { PeerIdentity } from "../../../src/io/peer_identity.ts";
import { quicTransport } from "../../../src/io/quic.ts";
import { EarlyDataGuard, markEarly } from "../../../src/io/quic/early_data.ts";
import { inTurn } from "../../../src/io/quic/gate.ts";
import type {
  TransportConnectOptions,
  TransportListenOptions,
} from "../../../src/io/transport.ts";
import { CLIENT_TLS, SERVER_TLS } from "../../support/tls.ts";
import { turns } from "../../support/wait.ts";

const ENDPOINT = parseEndpoint("quic://127.0.0.1:0");

/** Why `quic` endpoints cannot be listened on with these options. */
function listenError(options: TransportListenOptions): string {
  try {
    void quicTransport.listen(ENDPOINT, options);
    return "none";
  } catch (error) {
    return (error as Error).message;
  }
}

Deno.test("quicTransport.listen() refuses what the runtime would ignore", () => {
  const { tls } = SERVER_TLS;
  const cannot = "Cannot listen on quic://127.0.0.1:0: ";
  const lacks = `${cannot}the runtime's QUIC has nothing for the option `;
  assertEquals(
    [
      listenError({}),
      listenError({ tls: { ...tls, clients: { caCerts: [] } } }),
      listenError({ tls: { ...tls, names: {} } }),
      listenError({ tls: { ...tls, engine: "node" } }),
      listenError({ tls: { ...tls, maxVersion: "TLSv1.2" } }),
      listenError({ tls, reusePort: true }),
    ],
    [
      `${cannot}A certificate and a key are needed`,
      `${lacks}'clients'`,
      `${lacks}'names'`,
      `${lacks}'engine: node'`,
      `${lacks}'maxVersion: TLSv1.2'`,
      `${lacks}'reusePort: true'`,
    ],
  );
});

Deno.test("quicTransport.connect() refuses what the runtime would ignore", async () => {
  const { tls } = CLIENT_TLS;
  const asked: [NonNullable<TransportConnectOptions["tls"]>, string][] = [
    [SERVER_TLS.tls, "cert"],
    [{ ...tls, pins: [] }, "pins"],
    [{ ...tls, refuse: () => undefined }, "refuse"],
    [{ ...tls, trust: () => true }, "trust"],
    [
      { ...tls, dangerouslySkipVerification: true },
      "dangerouslySkipVerification: true",
    ],
    [{ ...tls, engine: "node" }, "engine: node"],
  ];
  for (const [options, name] of asked) {
    await assertRejects(
      () => quicTransport.connect(ENDPOINT, { tls: options }),
      Error,
      `the runtime's QUIC has nothing for the option '${name}'`,
    );
  }
});

Deno.test("inTurn() makes 32 handshakes with a server at a time, and lets the others wait", async () => {
  let running = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const handshake = async () => {
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
    return running;
  };
  const all = Array.from(
    { length: 100 },
    () => inTurn("a:1", undefined, handshake),
  );
  const controller = new AbortController();
  const aborted = inTurn("a:1", controller.signal, handshake);
  const other = inTurn("b:1", undefined, () => Promise.resolve("at once"));
  assertEquals(await other, "at once");
  assertEquals(running, 32);
  controller.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  gate.resolve();
  await Promise.all(all);
  assertEquals([running, most], [0, 32]);
});

Deno.test("inTurn() goes on after a handshake that failed", async () => {
  const fail = () => Promise.reject(new Error("refused"));
  const all = await Promise.allSettled(
    Array.from({ length: 100 }, () => inTurn("c:1", undefined, fail)),
  );
  assert(all.every(({ status }) => status === "rejected"));
  assertEquals(
    await inTurn("c:1", undefined, () => Promise.resolve("fine")),
    "fine",
  );
});

/** A peer whose handshake the test completes. */
function earlyPeer(): {
  peer: Peer<string, string>;
  complete: PromiseWithResolvers<void>;
} {
  const identity: PeerIdentity = { protocol: "QUICv1" };
  const complete = Promise.withResolvers<void>();
  markEarly(identity, complete.promise);
  return { peer: { identity } as Peer<string, string>, complete };
}

Deno.test("EarlyDataGuard holds open and what must not be done twice until the handshake is complete", async () => {
  class Counting implements HandlerCallbacks<string, string, undefined> {
    readonly #log: string[] = [];

    get log(): string {
      return this.#log.join(" ");
    }

    open(): undefined {
      this.#log.push("open");
    }

    message(_peer: unknown, line: string): void {
      this.#log.push(line);
    }

    close(): void {
      this.#log.push("close");
    }
  }
  const counting = new Counting();
  const guard = new EarlyDataGuard<string>(
    counting,
    (line) => line === "get",
  );
  const handler = guard.handler as HandlerCallbacks<string, string, undefined>;
  const { peer, complete } = earlyPeer();
  const opened = handler.open!(peer);
  void handler.message(peer, "get");
  const put = handler.message(peer, "put");
  await turns();
  assertEquals(counting.log, "get");
  complete.resolve();
  await Promise.all([opened, put]);
  assertEquals(counting.log, "get open put");
  // From here on nothing waits.
  await turns();
  assertEquals(handler.message(peer, "put"), undefined);
  void handler.close!(peer, { cause: "peer closed" });
  assertEquals(counting.log, "get open put put close");
  assertEquals([handler.drain, handler.invalid], [undefined, undefined]);
});

Deno.test("EarlyDataGuard does nothing for a peer whose handshake fails", async () => {
  const handled: string[] = [];
  const loop: Handler<string, string> = () => void handled.push("loop");
  const guards = [
    new EarlyDataGuard<string>(loop, () => false),
    new EarlyDataGuard<string>({
      message: (_peer, line) => void handled.push(line),
    }, () => false),
  ];
  const { peer, complete } = earlyPeer();
  const [first, second] = guards.map(({ handler }) => handler);
  const results = [
    (first as (peer: unknown) => Promise<void>)(peer),
    (second as HandlerCallbacks<string, string, undefined>)
      .message(peer, "put") as Promise<void>,
  ];
  complete.reject(new Error("its handshake was never completed"));
  for (const result of results) {
    await assertRejects(() => result, Error, "never completed");
  }
  assertEquals(handled, []);
});
