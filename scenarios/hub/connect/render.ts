/**
 * Messages as people read them. Everything that the hub sends was written by a
 * stranger, and is made harmless here before it comes near a terminal.
 *
 * @module
 */

import {
  drawTable,
  formatBytes,
  formatCount,
  formatDuration,
  type Output,
  sanitize,
  type Style,
} from "../../../mod.ts";
import type { FromHub } from "../messages.ts";
import type { Answer } from "./session.ts";

/** A value of a message in one line: texts as they are, others as JSON. */
export function inline(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return sanitize(text ?? "");
}

/** The content of a message; further lines are indented. */
export function content(value: unknown): string {
  if (typeof value !== "string") return inline(value);
  return sanitize(value, { lineBreak: "\n" }).replaceAll("\n", "\n  ");
}

/** What the hub sends without being asked, in one line of a conversation. */
export function renderIncoming(message: FromHub, style: Style): string {
  const from = style.bold("from" in message ? inline(message.from) : "");
  switch (message.type) {
    case "broadcast":
      return `${from}: ${content(message["content"])}`;
    case "direct":
      return style.magenta(`${from} to you: ${content(message["content"])}`);
    case "room_message": {
      const room = style.green(`#${inline(message["room"])}`);
      return `${room} ${from}: ${content(message["content"])}`;
    }
    case "gap":
      return style.yellow(
        `(${inline(message["missed"])} messages were dropped: ` +
          "this client did not keep up)",
      );
    case "going_away": {
      const wait = formatDuration(Number(message["come_back_in_ms"]));
      return style.yellow(`The hub is going away; come back in ${wait}`);
    }
    case "error":
      return style.red(renderRefusal(message["code"], message["message"]));
    default:
      return `${style.cyan(inline(message.type))} ${inline(message)}`;
  }
}

/** A message that the hub refused. */
export function renderRefusal(code: unknown, message: unknown): string {
  return `The hub refuses: ${inline(message)} (${inline(code)})`;
}

/** The hub's figures, one in a row. */
export function renderStats(
  stats: Answer<"get_stats">,
  output: Output,
): string {
  const { style } = output;
  const known: [label: string, value: string][] = [
    ["clients", count(stats.connected_clients)],
    ["with a name", count(stats.named_clients)],
    ["rooms", count(stats.rooms)],
    ["connections so far", count(stats.total_connections)],
    ["messages in", count(stats.total_messages)],
    ["messages out", count(stats.messages_out)],
    ["bytes in", formatBytes(Number(stats.bytes_in))],
    ["bytes out", formatBytes(Number(stats.bytes_out))],
    ["up", formatDuration(Number(stats.uptime_seconds) * 1000)],
    ["since", inline(stats.server_start_time)],
  ];
  return drawTable(
    known.filter(([, value]) => !value.startsWith("NaN"))
      .map(([label, value]) => [style.dim(label), value]),
    output,
  );
}

/** Who is connected; the client itself is marked. */
export function renderClients(
  { clients, total }: Answer<"list">,
  ownId: string,
  output: Output,
): string {
  const { style } = output;
  const rows = clients.map(({ name, client_id: id }) => [
    name === undefined ? style.dim("(no name)") : style.bold(inline(name)),
    inline(id) + (id === ownId ? style.dim("  you") : ""),
  ]);
  const more = Number(total) - clients.length;
  return drawTable(rows, output) +
    (more > 0 ? `\nand ${formatCount(more)} more` : "");
}

/** How many others heard something. */
export function others(recipients: unknown): string {
  const number = Number(recipients);
  if (number === 0) return "nobody else";
  return number === 1 ? "1 other" : `${formatCount(number)} others`;
}

function count(value: unknown): string {
  return formatCount(Number(value));
}
