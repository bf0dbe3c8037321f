/**
 * A client of the hub: requests by their names, everything else to a listener.
 *
 * @module
 */

import {
  type Client,
  type ClientStatus,
  connect,
  type ConnectOptions,
  type Correlation,
  EndpointError,
  json,
  keepConnected,
  lengthPrefixed,
  type PersistentClient,
} from "../../../mod.ts";
import {
  type FromHub,
  isAnswer,
  type LoginMessage,
  type ToHub,
} from "../messages.ts";

/** Where `deno task hub` listens. */
export const DEFAULT_HUB = "tcp://127.0.0.1:9999";

/** The hub refused a message. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  /** The hub's code. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Options of {@linkcode HubSession.open}. */
export interface SessionOptions
  extends Pick<ConnectOptions<FromHub, ToHub>, "tls"> {
  /** Where the hub is. */
  to: string;
  /** Gives up connecting when aborted. */
  signal?: AbortSignal;
  /** Proves who we are, on every connection, before anything else. */
  login?: LoginMessage | undefined;
  /** Called with what the hub sends without being asked. */
  message?: (message: FromHub) => void;
  /** Makes a connection that is made again when it is lost. */
  stay?: StayOptions;
}

/** What a session that stays connected does about it. */
export interface StayOptions {
  /** Restores name and rooms, by requests to the hub. */
  restore: (ask: (request: ToHub) => Promise<FromHub>) => Promise<void>;
  /** Called with what happens to the connection. */
  status: (status: ClientStatus) => void;
}

/** The type of the answer to each request. */
const ANSWERS = {
  ping: "pong",
  echo: "echo_response",
  broadcast: "broadcast_sent",
  get_stats: "server_stats",
  identify: "identified",
  list: "clients",
  direct: "direct_sent",
  join: "joined",
  leave: "left",
  room_message: "room_message_sent",
  login: "logged_in",
  logout: "logged_out",
} as const;

type RequestType = keyof typeof ANSWERS;
type Request<T extends RequestType> = Extract<ToHub, { type: T }>;

/** The answer to a request of type `T`. */
export type Answer<T extends RequestType> = Extract<
  FromHub,
  { type: (typeof ANSWERS)[T] }
>;

/** What an answer is known by: its type, or the request where that says nothing. */
type AnswerKey = string | ToHub;

const KNOWN_ANSWERS: ReadonlySet<string> = new Set(Object.values(ANSWERS));

/** Options of a request. */
export interface AskOptions {
  /** Gives up when aborted. */
  signal?: AbortSignal;
  /** Milliseconds to wait for the answer. @default {10_000} */
  timeoutMs?: number;
}

/** A connection to a hub. */
export class HubSession implements AsyncDisposable {
  /** Where the hub is. */
  readonly endpoint: string;
  /** The connection. */
  readonly client:
    | Client<FromHub, ToHub>
    | PersistentClient<FromHub, ToHub>;
  /** What the answers of requests in flight are known by, oldest first. */
  readonly #waiting: AnswerKey[];

  private constructor(
    endpoint: string,
    client: HubSession["client"],
    waiting: AnswerKey[],
  ) {
    this.endpoint = endpoint;
    this.client = client;
    this.#waiting = waiting;
  }

  /**
   * Connects to a hub.
   *
   * @throws {EndpointError} If that fails.
   */
  static async open(options: SessionOptions): Promise<HubSession> {
    const waiting: AnswerKey[] = [];
    const { to, stay, login } = options;
    const common = {
      message: () => {},
      ...options,
      wire: lengthPrefixed(
        json<FromHub, ToHub>({ validate: validateFromHub }),
      ),
      correlate: byAnswerType(waiting),
    };
    try {
      const client = stay === undefined
        ? await logIn(await connect<FromHub, ToHub>(common), login)
        : await keepConnected<FromHub, ToHub>({
          ...common,
          heartbeat: {
            message: (ttlMs) => ({ type: "ping", ttl_ms: ttlMs }),
          },
          comeBackInMs,
          async session(fresh) {
            // Answers to what was asked before the loss will not come.
            waiting.length = 0;
            await logIn(fresh, login);
            await stay.restore((request) => fresh.request(request));
          },
        });
      if (stay !== undefined && "status" in client) {
        void tellStatus(client, stay.status);
      }
      return new HubSession(to, client, waiting);
    } catch (error) {
      throw withAdvice(error, to);
    }
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @throws {RefusedError} If the hub refuses it.
   */
  async ask<T extends RequestType>(
    request: Request<T>,
    options: AskOptions = {},
  ): Promise<Answer<T>> {
    // The correlation lets nothing through but this type and errors.
    return await this.#request(request, options) as Answer<T>;
  }

  /**
   * Sends a message of any type and waits for its answer; that to a type that
   * the hub itself does not know is the next of such a type.
   *
   * @throws {RefusedError} If the hub refuses it.
   */
  askAny(message: ToHub, options: AskOptions = {}): Promise<FromHub> {
    return this.#request(message, options);
  }

  /** Ends the connection, after what was sent. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
  }

  async #request(message: ToHub, options: AskOptions): Promise<FromHub> {
    const { timeoutMs = 10_000 } = options;
    try {
      const answer = await this.client.request(message, {
        ...options,
        timeoutMs,
      });
      if (answer.type !== "error") return answer;
      throw new RefusedError(String(answer["code"]), String(answer["message"]));
    } finally {
      // Nobody knows whether a message of an unknown type is answered at all.
      const index = this.#waiting.indexOf(message);
      if (index !== -1) this.#waiting.splice(index, 1);
    }
  }
}

/** Proves to a hub who we are, on a connection that has just been made. */
async function logIn<
  C extends Pick<Client<FromHub, ToHub>, "request" | "close">,
>(
  client: C,
  login: LoginMessage | undefined,
): Promise<C> {
  if (login === undefined) return client;
  const answer = await client.request(login);
  if (answer.type !== "error") return client;
  await client.close();
  const reason = answer["reason"];
  const why = typeof reason === "string" ? `: ${reason}` : "";
  throw new RefusedError(
    String(answer["code"]),
    `Cannot log in${why}`,
  );
}

/**
 * The hub has no ids: an answer is known by its type, and an error answers the
 * oldest request.
 */
function byAnswerType(waiting: AnswerKey[]): Correlation<FromHub, ToHub> {
  return {
    ordered: true,
    request(message) {
      const key = answerKey(message);
      waiting.push(key);
      return key;
    },
    reply(message) {
      if (!isAnswer(message)) return undefined;
      const { type } = message;
      const index = waiting.findIndex((key) =>
        type === "error" || key === type ||
        typeof key === "object" && !KNOWN_ANSWERS.has(type)
      );
      return index === -1 ? undefined : waiting.splice(index, 1)[0];
    },
  };
}

function answerKey(message: ToHub): AnswerKey {
  const { type } = message;
  return Object.hasOwn(ANSWERS, type) ? ANSWERS[type as RequestType] : message;
}

async function tellStatus(
  client: PersistentClient<FromHub, ToHub>,
  tell: (status: ClientStatus) => void,
): Promise<void> {
  for await (const status of client.status()) tell(status);
}

/** How long a hub that goes away asks to wait. */
function comeBackInMs(message: FromHub): number | undefined {
  const ms = message.type === "going_away"
    ? message["come_back_in_ms"]
    : undefined;
  return typeof ms === "number" ? ms : undefined;
}

/** Whatever is on the other side, its messages have a type. */
function validateFromHub(value: unknown): FromHub {
  if (value === null || typeof value !== "object" || !("type" in value)) {
    throw new TypeError("Cannot take a message without a type");
  }
  const { type } = value;
  if (typeof type !== "string") {
    throw new TypeError("Cannot take a message whose type is not a string");
  }
  return { ...value, type };
}

/** A hub that is not there is the first thing that newcomers meet. */
function withAdvice(error: unknown, to: string): unknown {
  const missing = error instanceof EndpointError &&
    ["connection refused", "no such file"].includes(error.reason);
  if (!missing) return error;
  const isDefault = to === DEFAULT_HUB;
  const command = `deno task hub${isDefault ? "" : ` --listen ${to}`}`;
  return new Error(`${error.message}; start one with: ${command}`, {
    cause: error,
  });
}
