import type { BackendReport } from "../../proto/balance/backend.ts";
import type { Balancer } from "./balancer.ts";

type Sampler = (backend: BackendReport) => number;

const PER_BACKEND: readonly [
  name: string,
  type: string,
  help: string,
  sample: Sampler,
][] = [
  [
    "connections",
    "gauge",
    "Connections at this moment.",
    ({ active }) => active,
  ],
  [
    "picked_total",
    "counter",
    "Connections that it was chosen for.",
    ({ picked }) => picked,
  ],
  [
    "failed_total",
    "counter",
    "Connections that failed there.",
    ({ failed }) => failed,
  ],
  ["weight", "gauge", "Weight at this moment.", (one) => one.currentWeight],
];

/**
 * What a balancer does as a page for Prometheus, in its text format 0.0.4.
 *
 * @example Usage
 * ```ts
 * import { balanceMetrics } from "./metrics.ts";
 * import { balance } from "./balancer.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * await using front = await balance({
 *   listen: "memory:measured",
 *   to: ["memory:behind it"],
 * });
 * assertStringIncludes(
 *   balanceMetrics(front),
 *   'portolan_balance_backend_up{backend="memory:behind it"} 1\n',
 * );
 * ```
 */
export function balanceMetrics(
  { connections, queued, backends }: Pick<
    Balancer,
    "connections" | "queued" | "backends"
  >,
): string {
  const page = [
    head("connections", "gauge", "Connections at this moment."),
    `portolan_balance_connections ${connections}\n`,
    head("queued", "gauge", "Connections that wait for a backend."),
    `portolan_balance_queued ${queued}\n`,
  ];
  for (const [name, type, help, sample] of PER_BACKEND) {
    page.push(head(`backend_${name}`, type, help));
    for (const backend of backends) {
      page.push(line(`backend_${name}`, backend, sample(backend)));
    }
  }
  page.push(head("backend_up", "gauge", "Whether it takes connections."));
  for (const backend of backends) {
    page.push(line("backend_up", backend, backend.status === "up" ? 1 : 0));
  }
  return page.join("");
}

function head(name: string, type: string, help: string): string {
  const whole = `portolan_balance_${name}`;
  return `# HELP ${whole} ${help}\n# TYPE ${whole} ${type}\n`;
}

function line(name: string, backend: BackendReport, value: number): string {
  return `portolan_balance_${name}{backend="${
    escape(backend.name)
  }"} ${value}\n`;
}

function escape(label: string): string {
  return label.replaceAll(
    /["\\\n]/g,
    (one) => one === "\n" ? "\\n" : `\\${one}`,
  );
}
