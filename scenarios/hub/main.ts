import { ConsoleHandler, getLogger, setup } from "@std/log";
import { EndpointError, logEvents, runMain } from "../../mod.ts";
import { metricsAddress, serveMetrics } from "./metrics.ts";
import { type Hub, type HubOptions, startHub } from "./server.ts";
import { welcome } from "./welcome.ts";

/** Clients that a drain sends away come back spread over this time. */
const COME_BACK_WITHIN_MS = 5000;

const LOG_LEVELS = {
  debug: "DEBUG",
  info: "INFO",
  warn: "WARN",
  error: "ERROR",
} as const;

await runMain({
  name: "hub",
  summary: "Run the hub: a message server that many clients share.",
  listen: ["tcp://127.0.0.1:9999"],
  options: {
    cert: {
      type: "string",
      placeholder: "FILE",
      help: "Certificate chain for tls:// endpoints",
    },
    key: { type: "string", placeholder: "FILE", help: "Its private key" },
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
      "deno task hub --metrics tcp://127.0.0.1:9090",
      "Let Prometheus look on, and load balancers",
    ],
  ],
}, async (values, { output, listening, stopped }) => {
  const level = LOG_LEVELS[values.logLevel];
  setup({
    handlers: { console: new ConsoleHandler(level) },
    loggers: { hub: { level, handlers: ["console"] } },
  });
  const [cert, key] = await Promise.all([values.cert, values.key].map(read));
  await using hub = await start({
    listen: values.listen,
    maxFrameBytes: values.maxFrameBytes,
    limits: {
      maxConnections: values.maxConnections,
      idleMs: values.idleSeconds * 1000,
    },
    observe: logEvents(getLogger("hub")),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
  await using metrics = values.metrics === undefined
    ? undefined
    : serveMetrics(values.metrics, hub);
  listening(hub.endpoints);
  if (metrics !== undefined) {
    const { hostname, port } = metrics.addr;
    const url = `http://${hostname}:${port}/metrics`;
    output.print(`metrics ${url}`, { type: "metrics", url });
  }
  if (values.welcome) output.print(welcome(hub.endpoint, output.style));
  await stopped;
  await hub.drain({
    deadlineMs: values.drainSeconds * 1000,
    comeBackWithinMs: COME_BACK_WITHIN_MS,
  });
});

async function start(options: HubOptions): Promise<Hub> {
  try {
    return await startHub(options);
  } catch (error) {
    if (error instanceof EndpointError && error.reason === "address in use") {
      throw new Error(`${error.message}; --port N takes another`, {
        cause: error,
      });
    }
    throw error;
  }
}

async function read(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new Error(`Cannot read ${path}`, { cause });
  }
}
