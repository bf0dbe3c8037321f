/** Connections that one socket is used for, as they share the kernel's buffer for what it receives. */
const MAX_USES = 32;

/** Sockets that are kept for the next connection, in all. */
const MAX_KEPT = 64;

/** A client's UDP socket, and how many connections it was used for. */
export interface ClientSocket {
  /** Undefined until the runtime has made one by itself. */
  endpoint: Deno.QuicEndpoint | undefined;
  /** Handshakes that were completed on it. */
  uses: number;
}

/** Those that nobody makes a handshake on, by what their connections have in common; those kept last come last. */
const kept = new Map<string, ClientSocket[]>();
let count = 0;

/**
 * A socket to make a handshake on. The runtime gives descriptor and memory of a socket back only when it collects garbage,
 * so they are used again. They hold the tickets of their sessions, for which nobody is asked for a certificate again:
 * `purpose` has to say what is trusted.
 */
export function takeSocket(purpose: string): ClientSocket {
  const sockets = kept.get(purpose);
  const socket = sockets?.pop();
  if (socket === undefined) return { endpoint: openEndpoint(), uses: 0 };
  if (sockets!.length === 0) kept.delete(purpose);
  count--;
  return socket;
}

/** Keeps a socket for the next connection of its kind. */
export function keepSocket(purpose: string, socket: ClientSocket): void {
  if (socket.endpoint === undefined || socket.uses >= MAX_USES) return;
  const sockets = kept.get(purpose) ?? [];
  kept.delete(purpose);
  kept.set(purpose, sockets);
  sockets.push(socket);
  if (++count <= MAX_KEPT) return;
  const [oldest, others] = kept.entries().next().value!;
  others.shift();
  if (others.length === 0) kept.delete(oldest);
  count--;
}

/** A socket of our own can be closed before its connection stands; binding it takes a wide permission. */
function openEndpoint(): Deno.QuicEndpoint | undefined {
  const { state } = Deno.permissions.querySync({ name: "net" });
  return state === "granted" ? new Deno.QuicEndpoint() : undefined;
}
