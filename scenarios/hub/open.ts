/**
 * Opens a hub from settings that can be handed to a worker.
 *
 * @module
 */

import { ConsoleHandler, getLogger, setup } from "@std/log";
import {
  EndpointError,
  logEvents,
  type ServerLimits,
  type ServerTlsOptions,
} from "../../mod.ts";
import {
  type Backplane,
  type HubsChanged,
  PortBackplane,
  type Ports,
} from "./backplane.ts";
import { type LoginSettings, openLogin } from "./login.ts";
import { type Hub, type HubOptions, startHub } from "./server.ts";

const LOG_LEVELS = {
  debug: "DEBUG",
  info: "INFO",
  warn: "WARN",
  error: "ERROR",
} as const;

/** What a hub is opened with. */
export interface HubSettings {
  listen: string[];
  logLevel: keyof typeof LOG_LEVELS;
  maxFrameBytes: number;
  limits: ServerLimits;
  tls?: ServerTlsOptions;
  trustedProxies?: readonly string[];
  /** Whether other workers listen at the same endpoints. */
  reusePort?: boolean;
  /** Who may come in. */
  login?: LoginSettings;
  /** The URL of the backplane. */
  backplane?: string;
}

/** A hub, and what joins it with others. */
export interface OpenHub extends AsyncDisposable {
  hub: Hub;
}

/** Opens a hub; `ports` lead to the other workers of this process. */
export async function openHub(
  settings: HubSettings,
  ports?: Ports,
): Promise<OpenHub> {
  const { logLevel, backplane: url, login: files, ...options } = settings;
  const level = LOG_LEVELS[logLevel];
  setup({
    handlers: { console: new ConsoleHandler(level) },
    loggers: { hub: { level, handlers: ["console"] } },
  });
  await using stack = new AsyncDisposableStack();
  const backplane = await connectBackplane(url, ports);
  if (backplane !== undefined) stack.use(backplane);
  const login = await openLogin(files ?? {});
  if (login !== undefined) stack.use(login);
  const log = logEvents(getLogger("hub"));
  const hub = stack.use(
    await start({
      ...options,
      ...(login === undefined ? {} : { guard: login.guard }),
      observe(event) {
        log(event);
        login?.observe(event);
      },
      hubsChanged: logHubs,
      ...(backplane === undefined ? {} : { backplane }),
    }),
  );
  const opened = stack.move();
  return { hub, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function connectBackplane(
  url: string | undefined,
  ports: Ports | undefined,
): Promise<Backplane | undefined> {
  if (url === undefined) {
    return ports === undefined ? undefined : new PortBackplane(ports);
  }
  // A hub that stands alone does not load what it takes to reach others.
  const { connectNats } = await import("./nats.ts");
  return await connectNats(url, (isConnected) => {
    if (isConnected) getLogger("hub").info("The backplane is back");
    else getLogger("hub").warn("The backplane is lost; trying to reach it");
  });
}

const logHubs: HubsChanged = (change) =>
  change.isThere
    ? getLogger("hub").info("Hub {hub} has joined; hubs: {hubs}", change)
    : getLogger("hub").warn("Hub {hub} is missing; hubs: {hubs}", change);

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
