/**
 * Measures a hub: the way there and back, how much it takes, and how fast it
 * spreads messages.
 *
 * @module
 */

import {
  type Client,
  connect,
  drawHistogram,
  drawPercentiles,
  drawSparkline,
  formatCount,
  json,
  lengthPrefixed,
  type Output,
  Progress,
  summarize,
} from "../../../mod.ts";
import type { FromHub, ToHub } from "../messages.ts";
import { Samples } from "./samples.ts";
import type { SessionOptions } from "./session.ts";

/** Options of {@linkcode measure}. */
export interface MeasureOptions {
  /** Connections of the throughput and fan-out phases. */
  connections: number;
  /** Messages in flight on each connection of the throughput phase. */
  window: number;
  /** Characters of content of a message. */
  size: number;
  /** Seconds that each phase takes. */
  seconds: number;
}

/** What one phase counts while it runs. */
interface Tally {
  /** Milliseconds from sending to receiving. */
  readonly latencies: Samples;
  /** Messages that came back or were delivered. */
  messages: number;
  /** Messages that the hub dropped because this client did not keep up. */
  missed: number;
}

interface Phase {
  name: string;
  /** What is done, for people. */
  does: string;
  /** What is counted, for people. */
  unit: string;
  connections: number;
  window: number;
  /** Starts the traffic on connections that stand. */
  start(tally: Tally): Promise<Traffic>;
}

/** Traffic that runs by itself. */
interface Traffic {
  /** Resolves when a connection ends, which none should. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

const WARM_UP_MS = 300;
const TICK_MS = 100;

/** Measures a hub and draws what comes of it. */
export async function measure(
  session: SessionOptions,
  options: MeasureOptions,
  output: Output,
): Promise<void> {
  const { connections, window, size, seconds } = options;
  const content = "x".repeat(size);
  const echo = (connections: number, window: number) => (tally: Tally) =>
    startEcho(session, connections, window, content, tally);
  const phases: Phase[] = [
    {
      name: "latency",
      does: "one connection, one message at a time",
      unit: "round trips",
      connections: 1,
      window: 1,
      start: echo(1, 1),
    },
    {
      name: "throughput",
      does: `${connections} connections, ${window} messages in flight on each`,
      unit: "round trips",
      connections,
      window,
      start: echo(connections, window),
    },
    {
      name: "fan-out",
      does: `one sender, ${connections} listeners in a room`,
      unit: "deliveries",
      connections: connections + 1,
      window: 1,
      start: (tally) => startFanOut(session, connections, size, tally),
    },
  ];
  output.print(
    `Measuring ${session.to}, ${size} characters in a message, ` +
      `${seconds} s each; hub and client share what machine they share`,
  );
  for (const phase of phases) {
    await run(phase, seconds * 1000, size, output, session.signal);
  }
}

async function run(
  phase: Phase,
  durationMs: number,
  size: number,
  output: Output,
  signal: AbortSignal | undefined,
): Promise<void> {
  const warmUp = newTally();
  const tally = newTally();
  // The traffic adds to what stands here at the time.
  const current = { ...warmUp };
  const traffic = await phase.start(current);
  try {
    await tick(WARM_UP_MS, traffic, signal);
    Object.assign(current, tally);
    const rates = await count(
      phase,
      current,
      durationMs,
      traffic,
      output,
      signal,
    );
    report(phase, current, rates, size, output);
  } finally {
    await traffic.stop();
  }
}

/** Lets the traffic run; returns messages per second of each tick. */
async function count(
  { name }: Phase,
  tally: Tally,
  durationMs: number,
  traffic: Traffic,
  output: Output,
  signal: AbortSignal | undefined,
): Promise<{ perSecond: number; ticks: number[] }> {
  using progress = new Progress(output, { label: name });
  const startMs = performance.now();
  const ticks: number[] = [];
  let lastMs = startMs;
  let last = 0;
  while (lastMs - startMs < durationMs) {
    await tick(TICK_MS, traffic, signal);
    const nowMs = performance.now();
    ticks.push((tally.messages - last) / (nowMs - lastMs) * 1000);
    [last, lastMs] = [tally.messages, nowMs];
    if (output.drawable) progress.update(tally.messages);
  }
  return { perSecond: last / (lastMs - startMs) * 1000, ticks };
}

function report(
  phase: Phase,
  tally: Tally,
  rates: { perSecond: number; ticks: number[] },
  size: number,
  output: Output,
): void {
  const { style } = output;
  const latencies = summarize(tally.latencies.values);
  const { name, does, unit, connections, window } = phase;
  const { count: _count, ...latency_ms } = latencies;
  const width = Math.max(10, Math.min(40, output.columns - 40));
  const line = drawSparkline(rates.ticks, {
    ...chartOf(output),
    columns: width,
  });
  const missed = tally.missed === 0 ? [] : [
    style.yellow(`${formatCount(tally.missed)} more were dropped on the way`),
  ];
  const drawn = [
    "",
    `${style.bold(name)}: ${does}`,
    `${style.bold(formatCount(rates.perSecond))} ${unit}/s  ${line}`,
    ...missed,
    drawHistogram(tally.latencies.values, chartOf(output)),
    drawPercentiles(latencies, output),
  ];
  output.print(drawn.join("\n"), {
    type: "performance",
    phase: name,
    connections,
    window,
    size,
    messages: tally.messages,
    missed: tally.missed,
    per_second: rates.perSecond,
    latency_ms,
  });
}

/** Charts wider than this say no more. */
function chartOf({ columns, unicode, style }: Output): {
  columns: number;
  unicode: boolean;
  style: Output["style"];
} {
  return { columns: Math.min(columns, 100), unicode, style };
}

/** Every answer to an echo sends the next. */
async function startEcho(
  session: SessionOptions,
  connections: number,
  window: number,
  content: string,
  tally: Tally,
): Promise<Traffic> {
  const message: ToHub = { type: "echo", content };
  const start = (): Promise<Client<FromHub, ToHub>> => {
    // Answers come in order, so the oldest time is the one that counts.
    const sentMs = new Float64Array(window);
    let next = 0;
    const open = dial(session, (answer, client) => {
      if (answer.type !== "echo_response") return;
      const now = performance.now();
      tally.messages++;
      tally.latencies.add(now - sentMs[next]!);
      sentMs[next] = now;
      next = (next + 1) % window;
      client.send(message);
    });
    return open.then((client) => {
      sentMs.fill(performance.now());
      for (let sent = 0; sent < window; sent++) client.send(message);
      return client;
    });
  };
  return trafficOf(await openAll(connections, start));
}

/** Every message that the hub took is followed by the next. */
async function startFanOut(
  session: SessionOptions,
  listeners: number,
  size: number,
  tally: Tally,
): Promise<Traffic> {
  const room = `performance ${crypto.randomUUID().slice(0, 8)}`;
  const clients = await openAll(listeners, async () => {
    const joined = Promise.withResolvers<void>();
    const client = await dial(session, (message) => {
      if (message.type === "joined") joined.resolve();
      else if (message.type === "gap") {
        tally.missed += Number(message["missed"]);
      } else if (message.type === "room_message") {
        tally.messages++;
        tally.latencies.add(
          performance.now() - Number.parseFloat(String(message["content"])),
        );
      }
    });
    client.send({ type: "join", room });
    await Promise.race([joined.promise, client.closed]);
    return client;
  });
  const say = (client: Client<FromHub, ToHub>): void => {
    const content = `${performance.now()} `.padEnd(size, "x");
    client.send({ type: "room_message", room, content });
  };
  const sender = await dial(session, (message, client) => {
    if (message.type === "joined" || message.type === "room_message_sent") {
      say(client);
    }
  });
  sender.send({ type: "join", room });
  return trafficOf([...clients, sender]);
}

/** Opens a connection with nothing between its messages and `receive`. */
async function dial(
  { message: _message, ...session }: SessionOptions,
  receive: (message: FromHub, client: Client<FromHub, ToHub>) => void,
): Promise<Client<FromHub, ToHub>> {
  const client: Client<FromHub, ToHub> = await connect<FromHub, ToHub>({
    ...session,
    wire: lengthPrefixed(json<FromHub, ToHub>()),
    message(message) {
      if (message.type === "error") client.abort(String(message["message"]));
      else receive(message, client);
    },
  });
  return client;
}

/** Opens connections a few at a time, or none if one fails. */
async function openAll(
  count: number,
  open: () => Promise<Client<FromHub, ToHub>>,
): Promise<Client<FromHub, ToHub>[]> {
  const clients: Client<FromHub, ToHub>[] = [];
  while (clients.length < count) {
    const batch = Math.min(32, count - clients.length);
    const results = await Promise.allSettled(
      Array.from({ length: batch }, open),
    );
    for (const result of results) {
      if (result.status === "fulfilled") clients.push(result.value);
    }
    const failed = results.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") {
      for (const client of clients) client.abort();
      throw failed.reason;
    }
  }
  return clients;
}

function trafficOf(clients: readonly Client<FromHub, ToHub>[]): Traffic {
  const ended = Promise.race(clients.map(async (client) => {
    const { cause, reason } = await client.closed;
    return reason === undefined ? cause : `${cause} (${reason})`;
  }));
  return {
    ended,
    async stop(): Promise<void> {
      for (const client of clients) client.abort();
      await Promise.all(clients.map(({ closed }) => closed));
    },
  };
}

/** Waits while the traffic runs. */
async function tick(
  ms: number,
  traffic: Traffic,
  signal: AbortSignal | undefined,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const elapsed = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  const ended = await Promise.race([elapsed, traffic.ended]);
  clearTimeout(timer);
  signal?.throwIfAborted();
  if (ended !== undefined) {
    throw new Error(`Cannot measure: a connection ended: ${ended}`);
  }
}

function newTally(): Tally {
  return { latencies: new Samples(), messages: 0, missed: 0 };
}
