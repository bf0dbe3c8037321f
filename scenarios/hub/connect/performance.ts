/**
 * Measures a hub: the way there and back, how much it takes, and how fast it
 * spreads messages.
 *
 * @module
 */

import {
  drawHistogram,
  drawPercentiles,
  drawSparkline,
  formatCount,
  type Output,
  Progress,
  summarize,
} from "../../../mod.ts";
import { HubSession, type SessionOptions } from "./session.ts";
import { startEcho, startFanOut, Tally, type Traffic } from "./traffic.ts";

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

const WARM_UP_MS = 300;
const TICK_MS = 100;

/** Measures a hub and draws what comes of it. */
export async function measure(
  session: SessionOptions,
  options: MeasureOptions,
  output: Output,
): Promise<void> {
  const { connections, window, size, seconds } = options;
  await using hub = await HubSession.open(session);
  const content = "x".repeat(size);
  const echo = (connections: number, window: number) => (tally: Tally) =>
    startEcho(session, { connections, window, content }, tally);
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
      start: (tally) =>
        startFanOut(session, { listeners: connections, size }, tally),
    },
  ];
  output.print(
    `Measuring ${hub.endpoint}, ${size} characters in a message, ` +
      `${seconds} s for each of ${phases.length} runs`,
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
  const tally = new Tally();
  const traffic = await phase.start(tally);
  try {
    await tick(WARM_UP_MS, traffic, signal);
    tally.reset();
    const rates = await count(
      phase,
      tally,
      durationMs,
      traffic,
      output,
      signal,
    );
    report(phase, tally, rates, size, output);
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

/** Waits while the traffic runs. */
async function tick(
  ms: number,
  traffic: Traffic,
  signal: AbortSignal | undefined,
): Promise<void> {
  const elapsed = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => elapsed.resolve(undefined), ms);
  const ended = await Promise.race([elapsed.promise, traffic.ended]);
  clearTimeout(timer);
  signal?.throwIfAborted();
  if (ended !== undefined) {
    throw new Error(`Cannot measure: a connection ended: ${ended}`);
  }
}
