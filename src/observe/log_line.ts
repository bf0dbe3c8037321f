import { describeOptions } from "../io/socket_options.ts";
import type { PeerReference, ServerEvent } from "./events.ts";

/** A method of a logger, by how much the line matters. */
export type LineLevel = "debug" | "info" | "warn" | "error";

/** An event as the log tells it. */
export interface LogLine {
  /** How much it matters. */
  level: LineLevel;
  /** The same for all events that are one happening when they repeat. */
  kind: string;
  /** Whom it happened to. */
  subject: string;
  /** The line, a template in which `{detail}` stands for what others said. */
  text: string;
  /** What others said, printable. */
  detail?: string;
  /** What repeats, in the plural, for the line that counts it. */
  plural: string;
}

/** Longest detail in a line. */
const MAX_DETAIL = 300;

/** What would break a line, hide in it or reorder it. */
const UNPRINTABLE_REGEXP =
  /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}\u200b\u2060\ufeff]/gu;

/** Limits that bite in the course of normal work. */
const ROUTINE_LIMITS: ReadonlySet<string> = new Set([
  "idleMs",
  "messagesPerSecond",
  "bytesPerSecond",
]);

/** Tells an event in one line. */
export function logLine(event: ServerEvent): LogLine {
  const line = describe(event);
  return line.detail === undefined
    ? line
    : { ...line, text: `${line.text}: {detail}` };
}

function describe(event: ServerEvent): LogLine {
  switch (event.type) {
    case "listening":
      return once("debug", `Listening on ${event.endpoint}`);
    case "suspended":
      return once("info", "Listening is suspended, connections live on");
    case "draining": {
      const { connections, deadlineMs } = event;
      return once(
        "info",
        `Draining ${connections} connections within ${deadlineMs / 1000} s`,
      );
    }
    case "stopped":
      return once("info", "Stopped");
    case "accepted":
      return about(event.peer, {
        level: "debug",
        kind: "accepted",
        text: `connected to ${event.peer.endpoint}`,
        plural: "Connections accepted",
      });
    case "closed": {
      const { cause, reason, error } = event.ending;
      const failed = cause === "failed";
      return about(event.peer, {
        level: failed ? "error" : "debug",
        kind: `closed: ${cause}`,
        text: `ended: ${cause}`,
        ...withDetail(failed && error !== undefined ? reasonOf(error) : reason),
        plural: `Connections ended by "${cause}"`,
      });
    }
    case "refused":
      return {
        level: "warn",
        kind: `refused: ${event.limit}`,
        subject: event.endpoint,
        text: `Refused ${event.address} at ${event.endpoint}: ${event.limit}`,
        plural: `Connections refused by ${event.limit}`,
      };
    case "handshake failed":
      return {
        level: "warn",
        kind: "handshake failed",
        subject: event.endpoint,
        text: `${event.address} failed the handshake at ${event.endpoint}`,
        ...withDetail(reasonOf(event.error)),
        plural: "Handshakes that failed",
      };
    case "hello failed":
      return {
        level: "warn",
        kind: "hello failed",
        subject: event.endpoint,
        text: `${event.address} said no hello at ${event.endpoint}`,
        ...withDetail(reasonOf(event.error)),
        plural: "Hellos that failed",
      };
    case "socket option":
      return {
        level: "warn",
        kind: `socket option: ${event.state.option}`,
        subject: event.endpoint,
        text: `Socket option at ${event.endpoint} is not as asked`,
        ...withDetail(describeOptions([event.state])),
        plural: `Times that ${event.state.option} was not as asked`,
      };
    case "security warning":
      return {
        level: "warn",
        kind: "security warning",
        subject: event.endpoint,
        text: `Security of ${event.endpoint}`,
        ...withDetail(event.warning),
        plural: "Warnings of security",
      };
    case "certificate renewed":
      return {
        level: "info",
        kind: "certificate renewed",
        subject: event.endpoint,
        text: `Renewed the certificate of ${event.endpoint}`,
        plural: "Certificates renewed",
      };
    case "waiting":
      return {
        level: "warn",
        kind: `waiting: ${event.limit}`,
        subject: event.endpoint,
        text: `Accepting at ${event.endpoint} waits: ${event.limit}`,
        plural: `Waits before accepting by ${event.limit}`,
      };
    case "accept failed":
      return {
        level: "error",
        kind: "accept failed",
        subject: event.endpoint,
        text:
          `Cannot accept at ${event.endpoint}, next try in ${event.pauseMs} ms`,
        ...withDetail(reasonOf(event.error)),
        plural: "Failures to accept",
      };
    case "limit":
      return about(event.peer, {
        level: ROUTINE_LIMITS.has(event.limit) ? "info" : "warn",
        kind: `limit: ${event.limit}`,
        text: `reached ${event.limit}`,
        ...withDetail(event.detail),
        plural: `Times that ${event.limit} was reached`,
      });
    case "invalid": {
      const { code, message } = event.error;
      return about(event.peer, {
        level: "warn",
        kind: `invalid: ${code}`,
        text: `sent what is no message: ${code}`,
        ...withDetail(message),
        plural: `Frames that were no messages (${code})`,
      });
    }
    case "slow":
      return about(event.peer, {
        level: event.slow ? "info" : "debug",
        kind: event.slow ? "slow" : "caught up",
        text: event.slow
          ? `is slow, ${event.bufferedBytes} bytes wait for it`
          : "has caught up",
        plural: event.slow
          ? "Times that a peer became slow"
          : "Times that a slow peer has caught up",
      });
    case "gap":
      return about(event.peer, {
        level: "warn",
        kind: "gap",
        text: `missed ${event.missed} messages of a group`,
        ...withDetail(event.group),
        plural: "Gaps in what slow peers got",
      });
    case "callback failed":
      return about(event.peer, {
        level: "error",
        kind: "callback failed",
        text: "is gone and a callback failed",
        ...withDetail(reasonOf(event.error)),
        plural: "Callbacks that failed",
      });
  }
}

/** A line about the server itself, of which every repetition counts. */
function once(level: LineLevel, text: string): LogLine {
  return { level, kind: "", subject: "", text, plural: "" };
}

/** A line about a peer. */
function about(
  { id, address }: PeerReference,
  line: Omit<LogLine, "subject">,
): LogLine {
  return { ...line, subject: `${id}`, text: `${address} ${line.text}` };
}

function withDetail(detail: string | undefined): { detail?: string } {
  if (detail === undefined || detail === "") return {};
  return { detail: printable(detail) };
}

/** The messages of an error and its causes, without their stacks. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, message, cause } = error;
  const own = message === "" ? name : message;
  return cause === undefined ? own : `${own}: ${reasonOf(cause)}`;
}

/** One line of limited length; what cannot be printed becomes an escape. */
function printable(text: string): string {
  const whole = text.slice(0, MAX_DETAIL).replace(
    UNPRINTABLE_REGEXP,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
  return text.length > MAX_DETAIL ? `${whole}…` : whole;
}
