import { assert, assertEquals } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { AuditVerifier } from "../../src/proto/security/audit_chain.ts";
import { AuditLog, sha256 } from "../../src/security/audit_log.ts";
import type { Authenticator } from "../../src/security/authentication.ts";
import { authenticated } from "../../src/security/guarded.ts";
import { serve } from "../../src/server/serve.ts";
import type { VirtualNetwork } from "../../src/sim/virtual_network.ts";
import {
  plainPasswords,
  textLogin,
  type TextLoginOptions,
} from "../support/login.ts";
import { MemoryAuditStore } from "../support/memory_audit.ts";
import { frame } from "../support/raw_client.ts";
import { Recorder } from "../support/recorder.ts";
import { drawInt, simulationTest } from "../support/seeds.ts";
import { dialFrom, writeAll } from "../support/virtual_pair.ts";

const WIRE = lengthPrefixed(text());
const LISTEN = "tcp://0.0.0.0:9999";
const TO = "tcp://server:9999";

/** A server whose authenticator takes a while; what it let in, and what it wrote down. */
async function start(network: VirtualNetwork, more: TextLoginOptions = {}) {
  const { clock } = network;
  const recorder = new Recorder();
  const store = new MemoryAuditStore();
  const now = () => Date.UTC(2026, 0, 1) + clock.now();
  const audit = new AuditLog(store, { clock, now });
  const inside = new Map<string, number>();
  const work = { running: 0, most: 0 };
  const slow: Authenticator = {
    ...plainPasswords(),
    async authenticate(credentials, context) {
      work.most = Math.max(work.most, ++work.running);
      await clock.sleep(50);
      work.running--;
      return await plainPasswords().authenticate(credentials, context);
    },
  };
  await serve({
    ...network.host("server"),
    listen: LISTEN,
    wire: WIRE,
    handler: authenticated<string, string, string>(
      textLogin({ authenticators: [slow], audit, clock, now, ...more }),
      {
        open(_peer, { id }) {
          inside.set(id, (inside.get(id) ?? 0) + 1);
          return id;
        },
        message: (peer, line) => peer.send(`${peer.state} said ${line}`),
        close: (peer) => inside.set(peer.state, inside.get(peer.state)! - 1),
      },
    ),
    observe: recorder.observe,
  });
  return { recorder, store, audit, inside, work };
}

function client(network: VirtualNetwork, host: string) {
  return connect({ ...network.host(host), to: TO, wire: WIRE });
}

/** One of the ways to be a nuisance; none of them gets in. */
async function annoy(network: VirtualNetwork, host: string): Promise<void> {
  const { clock, random } = network;
  const kind = drawInt(network, 0, 3);
  if (kind === 0) {
    await using guesser = await client(network, host);
    for (let tries = 0; tries < 6; tries++) {
      guesser.send(`login ada guess${tries}`);
    }
    while (await guesser.receive() !== undefined);
    return;
  }
  const conn = await dialFrom(network.host(host), TO);
  const login = frame("login ada lovelace");
  const half = login.subarray(0, drawInt(network, 1, login.length - 1));
  try {
    if (kind === 1) {
      // A login that is never whole, dripping for as long as it may.
      for (const byte of half) {
        await writeAll(conn, Uint8Array.of(byte));
        await clock.sleep(random() * 3_000);
      }
    } else if (kind === 2) await writeAll(conn, frame("x".repeat(10_000)));
    else await writeAll(conn, half);
    const into = new Uint8Array(256);
    while (await conn.read(into) !== null);
  } catch {
    // It was cut off.
  }
  conn.close();
}

simulationTest(
  "a login lets in who knows a password, whatever others do to it",
  async (network) => {
    const { clock, random } = network;
    const { recorder, store, audit, inside, work } = await start(network);
    const talk = async (name: string, password: string) => {
      const host = `host of ${name}`;
      network.link(host, "server", { latencyMs: random() * 50 });
      const peer = await client(network, host);
      peer.send(`login ${name} ${password}`);
      assertEquals(await peer.receive(), `welcome ${name}`);
      peer.send("ahoy");
      assertEquals(await peer.receive(), `${name} said ahoy`);
      if (random() < 0.5) await peer.close();
      return peer;
    };
    const nuisances = Array.from(
      { length: drawInt(network, 1, 12) },
      async (_, n) => {
        await clock.sleep(random() * 1_000);
        await annoy(network, `nuisance ${n % 5}`);
      },
    );
    await clock.sleep(random() * 1_000);
    await Promise.all([talk("ada", "lovelace"), talk("bob", "builder9")]);
    await Promise.all(nuisances);
    await clock.sleep(30_000);
    assertEquals([...inside.keys()].sort(), ["ada", "bob"]);
    const open = recorder.of("accepted").length - recorder.of("closed").length;
    const stillIn = [...inside.values()].reduce((sum, count) => sum + count);
    assertEquals(open, stillIn, "nobody is left but those who are in");
    assertEquals(work.running, 0);
    await audit.close();
    const verifier = new AuditVerifier({ hash: sha256 });
    for (const line of store.text.split("\n").slice(0, -1)) {
      assertEquals(verifier.line(line), undefined);
    }
    const accepted = store.records.filter((it) =>
      it["event"] === "login accepted"
    );
    assertEquals(accepted.length, 2);
  },
);

simulationTest(
  "a flood of logins from one network delays nobody from another",
  async (network) => {
    const { clock } = network;
    const { inside, work, recorder } = await start(network, {
      maxChecks: 8,
      maxChecksPerSource: 4,
      maxTries: 3,
    });
    const flood = Array.from({ length: 1_000 }, async () => {
      const peer = await client(network, "mallory");
      for (let tries = 0; tries < 3; tries++) peer.send("login ada guess");
      while (await peer.receive() !== undefined);
    });
    while (recorder.of("accepted").length < 1_000) await clock.sleep(1);
    const startMs = clock.now();
    const ada = await client(network, "ada");
    ada.send("login ada lovelace");
    assertEquals(await ada.receive(), "welcome ada");
    assert(clock.now() - startMs < 1_000, `${clock.now() - startMs} ms`);
    await Promise.all(flood);
    assertEquals([...inside], [["ada", 1]]);
    assert(work.most <= 8, `${work.most}`);
    assertEquals(work.running, 0);
  },
  { seeds: 3 },
);

simulationTest(
  "10,000 failed logins leave nothing behind but their records, and keep nobody out",
  async (network) => {
    const { clock } = network;
    const { inside, store, audit, recorder } = await start(network);
    let refused = 0;
    const attack = async (host: string) => {
      while (refused < 10_000) {
        const peer = await client(network, host);
        for (let tries = 0; tries < 3; tries++) peer.send("login ada guess");
        for (;;) {
          const answer = await peer.receive();
          if (answer === undefined) break;
          assertEquals(answer, "refused denied");
          refused++;
        }
      }
    };
    const attackers = Array.from({ length: 50 }, (_, n) => attack(`bot ${n}`));
    await clock.sleep(5_000);
    const ada = await client(network, "ada");
    ada.send("login ada lovelace");
    assertEquals(await ada.receive(), "welcome ada", "in the middle of it");
    await Promise.all(attackers);
    await clock.sleep(5_000);
    assertEquals([...inside], [["ada", 1]]);
    const closed = recorder.of("closed").length;
    assertEquals(recorder.of("accepted").length - closed, 1);
    const records = store.records;
    const failures = records.filter((it) => it["event"] === "login refused");
    assert(failures.length >= 10_000, `${failures.length}`);
    assertEquals(audit.lost, 0);
  },
  { seeds: 1 },
);
