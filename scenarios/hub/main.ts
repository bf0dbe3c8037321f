import {
  type DrainOptions,
  readServerTls,
  runMain,
  SERVER_TLS_FLAGS,
  type ServerTlsOptions,
  UsageError,
  watchServerTls,
} from "../../mod.ts";
import { natsAddress } from "./backplane.ts";
import { metricsAddress, type Observed, serveMetrics } from "./metrics.ts";
import { type HubSettings, openHub } from "./open.ts";
import { welcome } from "./welcome.ts";
import { HubWorkers } from "./workers.ts";

/** Clients that a drain sends away come back spread over this time. */
const COME_BACK_WITHIN_MS = 5000;

await runMain({
  name: "hub",
  summary: "Run the hub: a message server that many clients share.",
  listen: ["tcp://127.0.0.1:9999"],
  options: {
    ...SERVER_TLS_FLAGS,
    users: {
      type: "string",
      placeholder: "FILE",
      help: "Let in these accounts, with their passwords (deno task users)",
    },
    tokens: {
      type: "string",
      placeholder: "FILE",
      help: "Let in bearers of tokens signed by these keys (deno task token)",
    },
    revoked: {
      type: "string",
      placeholder: "FILE",
      help: "Tokens that were taken back (deno task token revoke)",
    },
    devices: {
      type: "string",
      placeholder: "FILE",
      help: "Let in these devices, with their secrets",
    },
    certificates: {
      type: "string",
      placeholder: "FILE",
      help: "Let in the holders of these client certificates",
    },
    guests: {
      type: "boolean",
      help: "Let in everybody else too, as guests",
    },
    messagesPerSecond: {
      type: "number",
      min: 0.1,
      help: "Messages of each account, and of guests of each source",
    },
    rules: {
      type: "string",
      placeholder: "FILE",
      help: "What each role may do; without it, everything",
    },
    audit: {
      type: "string",
      placeholder: "FILE",
      help: "Write down who comes in and what is denied (deno task audit)",
    },
    trustProxy: {
      type: "list",
      placeholder: "NETWORK",
      help: "Proxies that tell by PROXY headers where clients come from",
    },
    maxConnections: {
      type: "integer",
      default: 10_000,
      min: 1,
      help: "Connections in all",
    },
    maxFrameBytes: {
      type: "integer",
      default: 1 << 20,
      min: 64,
      help: "Largest message, in bytes",
    },
    idleSeconds: {
      type: "number",
      default: 600,
      min: 1,
      help: "Silence after which a client is cut off",
    },
    drainSeconds: {
      type: "number",
      default: 10,
      min: 0.1,
      help: "Time to finish in when the hub is told to end",
    },
    metrics: {
      type: "string",
      placeholder: "ENDPOINT",
      check: metricsAddress,
      help: "Where to serve /metrics for Prometheus, and /health, over HTTP",
    },
    workers: {
      type: "integer",
      default: 1,
      min: 1,
      help: "Cores to use: so many hubs share the port, as one hub",
    },
    backplane: {
      type: "string",
      placeholder: "URL",
      check: natsAddress,
      help: "NATS server that joins hubs on many machines to one hub",
    },
    logLevel: {
      type: "string",
      choices: ["debug", "info", "warn", "error"],
      default: "info",
      help: "What to log to the standard error",
    },
    welcome: {
      type: "boolean",
      help: "Say what to try next",
      variable: false,
    },
  },
  examples: [
    ["deno task hub", "Serve this machine, on port 9999"],
    ["deno task hub --listen 'tcp://[::]:9999'", "Serve the network"],
    [
      "deno task hub --listen tls://0.0.0.0:9443 --cert cert.pem --key key.pem",
      "Serve it over TLS",
    ],
    [
      "deno task hub --listen ws://127.0.0.1:9980 --listen tcp://127.0.0.1:9999",
      "Let browsers in, beside programs",
    ],
    [
      "deno task hub --listen tls://0.0.0.0:9443 --users .portolan/users.json",
      "Ask for a login",
    ],
    ["deno task hub --workers 4", "Use four cores"],
    [
      "deno task hub --backplane nats://127.0.0.1:4222",
      "Be one hub with those on other machines",
    ],
    [
      "deno task hub --metrics tcp://127.0.0.1:9090",
      "Let Prometheus look on, and load balancers",
    ],
  ],
}, async (values, { output, signal, listening, stopped }) => {
  const readTls = () => readServerTls(values, values.listen, output);
  const tls = await readTls();
  const { workers, backplane } = values;
  const { users, tokens, revoked, devices, certificates } = values;
  if (certificates !== undefined && values.clientCa === undefined) {
    throw new UsageError(
      "Cannot use --certificates without --client-ca: nobody is asked for one",
    );
  }
  const { guests, messagesPerSecond, rules, audit } = values;
  await using hub = await open({
    listen: values.listen,
    logLevel: values.logLevel,
    maxFrameBytes: values.maxFrameBytes,
    limits: {
      maxConnections: Math.ceil(values.maxConnections / workers),
      idleMs: values.idleSeconds * 1000,
    },
    trustedProxies: values.trustProxy,
    login: {
      users,
      tokens,
      revoked,
      devices,
      certificates,
      guests,
      messagesPerSecond,
      rules,
      audit,
    },
    ...(tls === undefined ? {} : { tls }),
    ...(backplane === undefined ? {} : { backplane }),
  }, workers);
  await using metrics = values.metrics === undefined
    ? undefined
    : serveMetrics(values.metrics, () => hub.observe());
  listening(hub.endpoints);
  void watchServerTls(readTls, (tls) => hub.renewTls(tls), { output, signal });
  if (metrics !== undefined) {
    const { hostname, port } = metrics.addr;
    const url = `http://${hostname}:${port}/metrics`;
    output.print(`metrics ${url}`, { type: "metrics", url });
  }
  if (values.welcome) {
    output.print(welcome(hub.endpoints[0]!, output.style));
  }
  await stopped;
  await hub.drain({
    deadlineMs: values.drainSeconds * 1000,
    comeBackWithinMs: COME_BACK_WITHIN_MS,
  });
});

/** One hub, or several that are one. */
interface Hubs extends AsyncDisposable {
  readonly endpoints: readonly string[];
  observe(): Observed | Promise<Observed>;
  renewTls(tls: ServerTlsOptions): Promise<void>;
  drain(options: DrainOptions): Promise<void>;
}

async function open(settings: HubSettings, workers: number): Promise<Hubs> {
  if (workers > 1) return await HubWorkers.open(settings, workers);
  const opened = await openHub(settings);
  const { hub } = opened;
  return {
    endpoints: hub.endpoints,
    observe: () => hub,
    renewTls: (tls) => hub.renewTls(tls),
    drain: (options) => hub.drain(options),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
