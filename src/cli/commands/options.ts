/**
 * What options of sockets come to here: asked, really set, seen from outside.
 *
 * @module
 */

import { connect } from "node:net";
import {
  applySocketOptions,
  effectiveOptions,
  reportWithoutSocket,
} from "../../io/apply_socket_options.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import { socketInfo } from "../../io/socket_info.ts";
import {
  SOCKET_OPTION_NAMES,
  type SocketOptionName,
  type SocketOptionValue,
} from "../../io/socket_option_table.ts";
import {
  type AskedOptions,
  isUnmet,
  type SocketOptionState,
} from "../../io/socket_options.ts";
import type { ConnectedSocket } from "../../io/socket_target.ts";
import type { Conn, Listener } from "../../io/transport.ts";
import { systemTransports } from "../../io/transports.ts";
import { UsageError } from "../arguments.ts";
import type { Output } from "../output.ts";
import { runMain } from "../run.ts";
import { closestMatch } from "../suggest.ts";
import { pad } from "../text.ts";
import {
  isPortShared,
  lookAtConnection,
  lookAtListener,
  type OutsideView,
  seeClose,
  whyWithoutSs,
} from "./options_outside.ts";

/** Asked for where nothing is: other than what a socket has by itself. */
const EXAMPLE: AskedOptions = {
  keepAlive: true,
  keepAliveIdleMs: 30_000,
  keepAliveIntervalMs: 5_000,
  keepAliveCount: 3,
  userTimeoutMs: 20_000,
  noDelay: true,
  resetOnClose: true,
  sendBufferBytes: 65_536,
  receiveBufferBytes: 65_536,
  congestionControl: "reno",
  reuseAddress: true,
  reusePort: false,
  backlog: 128,
};

const HOME = { scheme: "tcp", hostname: "127.0.0.1", port: 0 } as const;

/** Runs the command. */
export function run(args: readonly string[]): Promise<never> {
  return runMain(
    {
      name: "options",
      summary:
        "Show what options of sockets come to here: asked, really set, seen from outside.",
      options: {
        to: {
          type: "string",
          placeholder: "ENDPOINT",
          help: "Dial there; else a listener and connections of its own",
          check: parseEndpoint,
        },
        set: {
          type: "list",
          placeholder: "NAME=VALUE",
          help: `Ask for an option: ${SOCKET_OPTION_NAMES.join(", ")}`,
          check: parseSetting,
          variable: false,
        },
        strict: {
          type: "boolean",
          help: "Exit with 1 if an option is not as asked",
        },
      },
      examples: [
        ["deno task options", "What the runtime alone reaches"],
        ["deno task options:ffi", "What it reaches with the C library"],
        [
          "deno task options:ffi --set congestionControl=bbr --strict",
          "One option, or exit with 1",
        ],
      ],
    },
    async ({ to, set, strict }, { output, signal }) => {
      const asked: AskedOptions = set.length === 0
        ? EXAMPLE
        : Object.fromEntries(set.map(parseSetting));
      const states = to === undefined
        ? await showOwn(asked, output)
        : await showDialled(to, asked, { output, signal });
      return strict && states.some(isUnmet) ? 1 : 0;
    },
    args,
  );
}

/**
 * Reads `NAME=VALUE`; what it must be is seen by the option's example.
 *
 * @throws {UsageError} If there is no such option, or not with such a value.
 */
export function parseSetting(
  text: string,
): [SocketOptionName, SocketOptionValue] {
  const equals = text.indexOf("=");
  const given = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? "" : text.slice(equals + 1);
  const name = SOCKET_OPTION_NAMES.find((name) => name === given);
  if (name === undefined) {
    const near = closestMatch(given, SOCKET_OPTION_NAMES);
    const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
    throw new UsageError(`There is no option "${given}"${hint}`);
  }
  const example = EXAMPLE[name];
  if (typeof example === "boolean" && /^(true|false)$/.test(value)) {
    return [name, value === "true"];
  }
  if (typeof example === "number" && /^\d+$/.test(value)) {
    return [name, Number(value)];
  }
  if (typeof example === "string" && value !== "") return [name, value];
  throw new UsageError(
    `'${name}' must be a value such as ${example}: current value is "${value}"`,
  );
}

/** A connection to show, and what its close is to be seen by. */
interface Subject {
  title: string;
  socket: ConnectedSocket;
  peer: Conn;
  close(): void;
}

async function showDialled(
  to: string,
  asked: AskedOptions,
  { output, signal }: { output: Output; signal: AbortSignal },
): Promise<SocketOptionState[]> {
  const endpoint = parseEndpoint(to);
  const transport = systemTransports[endpoint.scheme];
  reportWithoutSocket(endpoint, { ...asked, strict: true });
  const conn = await transport.connect(endpoint, { socket: asked, signal });
  try {
    const states = effectiveOptions(conn, asked);
    const outside = await hasSs(output) ? await lookAtConnection(conn) : {};
    show(output, `connection to ${to}`, { states, outside });
    showInfo(output, conn);
    return states;
  } finally {
    conn.close();
  }
}

/** Shows a listener of our own, a connection that it accepted, and one dialled by each way that there is. */
async function showOwn(
  asked: AskedOptions,
  output: Output,
): Promise<SocketOptionState[]> {
  const ss = await hasSs(output);
  const listener = await systemTransports.tcp.listen(HOME, {
    ...asked.backlog === undefined ? {} : { backlog: asked.backlog },
    ...asked.reusePort === undefined ? {} : { reusePort: asked.reusePort },
    socket: asked,
  });
  try {
    const { port } = listener.endpoint as { port: number };
    const addr = { transport: "tcp", hostname: HOME.hostname, port } as const;
    const all = effectiveOptions({ addr }, asked);
    show(output, "listener, whose connections inherit its options", {
      states: all,
      outside: {
        ...ss ? await lookAtListener(port) : {},
        reusePort: String(isPortShared(port)),
      },
    });
    for await (const subject of ownConnections(listener, asked)) {
      const { title, socket, peer, close } = subject;
      const states = effectiveOptions(socket, asked);
      const ends = { localAddr: peer.remoteAddr, remoteAddr: peer.localAddr };
      const outside = ss ? await lookAtConnection(ends) : {};
      const resetOnClose = await seeClose(peer, close);
      peer.close();
      show(output, title, { states, outside: { ...outside, resetOnClose } });
      all.push(...states);
    }
    return all;
  } finally {
    listener.close();
  }
}

/** One connection after another, each of another kind. */
async function* ownConnections(
  listener: Listener,
  asked: AskedOptions,
): AsyncGenerator<Subject> {
  const { endpoint } = listener;
  const dial = () => systemTransports.tcp.connect(endpoint, { socket: asked });
  {
    const peer = await dial();
    const socket = await listener.accept();
    const close = () => socket.close();
    yield { title: "accepted connection", socket, peer, close };
  }
  {
    const socket = await dial();
    const peer = await listener.accept();
    const close = () => socket.close();
    yield { title: "dialled connection", socket, peer, close };
  }
  const { hostname, port } = endpoint as typeof HOME;
  const socket = connect(port, hostname);
  await new Promise<void>((resolve, reject) =>
    socket.once("connect", resolve).once("error", reject)
  );
  const peer = await listener.accept();
  applySocketOptions(socket, asked);
  yield {
    title: "connection of node:net, closed by resetAndDestroy()",
    socket,
    peer,
    close: () => socket.resetAndDestroy(),
  };
}

async function hasSs(output: Output): Promise<boolean> {
  const reason = await whyWithoutSs();
  if (reason === undefined) return true;
  output.error(`options: Cannot look from outside by ss: ${reason}`);
  return false;
}

function show(
  output: Output,
  socket: string,
  { states, outside }: { states: SocketOptionState[]; outside: OutsideView },
): void {
  const { style } = output;
  const texts = states.map(({ option, asked, actual, state }) => [
    option,
    String(asked ?? "-"),
    String(actual ?? "?"),
    outside[option] ?? "-",
    state,
  ]);
  const heads = ["option", "asked", "really set", "from outside", "state"];
  const widths = heads.map((head, at) =>
    Math.max(head.length, ...texts.map((row) => row[at]!.length)) + 2
  );
  const line = (row: string[]): string =>
    row.map((text, at) => pad(text, widths[at]!)).join("").trimEnd();
  output.print(style.bold(socket));
  output.print(style.dim(`  ${line(heads)}`));
  for (const [at, entry] of states.entries()) {
    const { state, reason } = entry;
    const [option, ...rest] = texts[at]!;
    const why = reason === undefined || state === "default"
      ? ""
      : `: ${reason}`;
    const text = `  ${line([option!, ...rest])}${why}`;
    output.print(isUnmet(entry) ? style.yellow(text) : text, {
      type: "option",
      socket,
      ...entry,
      outside: outside[entry.option],
    });
  }
  output.print("");
}

function showInfo(output: Output, conn: Conn): void {
  try {
    const info = socketInfo(conn);
    output.print(
      Object.entries(info).map(([name, value]) => `  ${name} ${value}`)
        .join("\n"),
      { type: "info", ...info },
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotSupported)) throw error;
    output.print(`  ${error.message}`);
  }
}
