import type {
  Impairments,
  LinkDirection,
} from "../../proto/link/impairments.ts";
import { parseSettings, parseValue } from "../../proto/link/settings.ts";
import { SETTINGS } from "../../proto/link/setting_table.ts";
import type { StringOption } from "../command_spec.ts";

const PLACEHOLDERS = {
  duration: "TIME",
  rate: "RATE",
  share: "SHARE",
  bytes: "BYTES",
  switch: "on|off",
} as const;

/** A setting's name as the name of an option. */
function optionName(setting: string): string {
  return setting.replaceAll(/-([a-z])/g, (_, letter) => letter.toUpperCase());
}

/** A flag for each impairment, and one for each direction. */
export const SETTING_FLAGS: Readonly<Record<string, StringOption>> = {
  ...Object.fromEntries(
    Object.entries(SETTINGS).map(([name, { kind, help }]) => [
      optionName(name),
      {
        type: "string",
        placeholder: PLACEHOLDERS[kind],
        help,
        check: (text: string) => parseValue(kind, text),
        variable: false,
      } satisfies StringOption,
    ]),
  ),
  up: {
    type: "string",
    placeholder: "SETTINGS",
    help: "What holds for what the client sends alone: 'latency=80 loss=1%'",
    check: parseSettings,
    variable: false,
  },
  down: {
    type: "string",
    placeholder: "SETTINGS",
    help: "What holds for what the server sends alone",
    check: parseSettings,
    variable: false,
  },
};

/** Settings as text, for both directions, and for one of them. */
export type SettingTexts = Partial<Record<LinkDirection | "both", string>>;

/** What the flags say. */
export function readSettingTexts(
  values: Readonly<Record<string, unknown>>,
): SettingTexts {
  const words = Object.keys(SETTINGS).flatMap((name) => {
    const value = values[optionName(name)];
    return value === undefined ? [] : [`${name}=${value}`];
  });
  const { up, down } = values;
  return {
    ...(words.length === 0 ? {} : { both: words.join(" ") }),
    ...(up === undefined ? {} : { up: String(up) }),
    ...(down === undefined ? {} : { down: String(down) }),
  };
}

/** What a direction shall do, by what the flags say. */
export function settingsFor(
  texts: SettingTexts,
  direction: LinkDirection,
): Impairments {
  const read = (text: string | undefined) =>
    text === undefined ? {} : parseSettings(text);
  return { ...read(texts.both), ...read(texts[direction]) };
}
