import {
  type Counters,
  type Latency,
  LATENCY_BOUNDS_MS,
} from "../io/counters.ts";

/** What {@linkcode prometheusText} looks at; every `Server` has it. */
export interface ObservedServer {
  /** What it has done so far. */
  readonly counters: Readonly<Counters>;
  /** Those who are connected. */
  readonly peers: { readonly size: number };
  /** When it started. */
  readonly startedAt: Date;
  /** When its certificate ends. */
  readonly certificateEndsAt?: Date | undefined;
}

/** The `content-type` of {@linkcode prometheusText}. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4";

/** Names and meanings of the counters. */
const COUNTERS = [
  ["accepted", "connections_accepted", "Connections taken in."],
  ["refused", "connections_refused", "Connections turned away by a limit."],
  ["closed", "connections_closed", "Connections that have ended."],
  ["messagesIn", "messages_received", "Messages received."],
  ["messagesOut", "messages_sent", "Messages queued for sending."],
  ["bytesIn", "received_bytes", "Bytes received."],
  ["bytesOut", "sent_bytes", "Bytes that the kernel took."],
  ["invalid", "frames_invalid", "Frames that were no messages."],
  ["limited", "limits_reached", "Times that a limit of a connection bit."],
  [
    "skipped",
    "messages_skipped",
    "Messages that groups did not deliver to slow members.",
  ],
] as const;

/**
 * The counters of a server as a page for Prometheus, in its text format 0.0.4.
 *
 * @example Usage
 * ```ts
 * import { prometheusText } from "./prometheus.ts";
 * import { serve } from "../server/serve.ts";
 * import { lines } from "../proto/framing/delimited.ts";
 * import { text } from "../proto/codec/text.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * await using server = await serve({
 *   listen: "memory:metrics",
 *   wire: lines(text()),
 *   handler: { message() {} },
 * });
 * assertStringIncludes(prometheusText(server), "\nportolan_connections 0\n");
 * ```
 */
export function prometheusText(server: ObservedServer): string {
  const { counters, peers, startedAt, certificateEndsAt } = server;
  const startedSeconds = startedAt.getTime() / 1000;
  return [
    head("start_time_seconds", "gauge", "Start, in seconds since 1970."),
    sample("start_time_seconds", startedSeconds),
    head("connections", "gauge", "Connections at this moment."),
    sample("connections", peers.size),
    ...certificateEnd(certificateEndsAt),
    ...COUNTERS.flatMap(([counter, name, help]) => [
      head(`${name}_total`, "counter", help),
      sample(`${name}_total`, counters[counter]),
    ]),
    ...histogram(counters.handling),
  ].join("");
}

function certificateEnd(endsAt: Date | undefined): string[] {
  if (endsAt === undefined) return [];
  const name = "certificate_end_seconds";
  return [
    head(name, "gauge", "End of the certificate, in seconds since 1970."),
    sample(name, endsAt.getTime() / 1000),
  ];
}

function head(name: string, type: string, help: string): string {
  return `# HELP portolan_${name} ${help}\n# TYPE portolan_${name} ${type}\n`;
}

function sample(name: string, value: number): string {
  return `portolan_${name} ${value}\n`;
}

/** Buckets are cumulative, and bounds are in seconds, as Prometheus has it. */
function histogram({ buckets, count, sumMs }: Latency): string[] {
  const name = "handling_seconds";
  let sum = 0;
  return [
    head(
      name,
      "histogram",
      "From the read of a batch of messages until all of them were handled.",
    ),
    ...LATENCY_BOUNDS_MS.map((boundMs, index) =>
      sample(`${name}_bucket{le="${boundMs / 1000}"}`, sum += buckets[index]!)
    ),
    sample(`${name}_bucket{le="+Inf"}`, count),
    sample(`${name}_sum`, sumMs / 1000),
    sample(`${name}_count`, count),
  ];
}
