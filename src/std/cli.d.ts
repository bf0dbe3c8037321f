/** Options of {@linkcode parseArgs}. Flags are declared to be in its type. */
export interface ParseOptions<
  TBoolean extends string = never,
  TString extends string = never,
  TCollect extends TString = never,
  TDefault extends object = Record<never, never>,
  TDoubleDash extends boolean = false,
> {
  /** Flags without a value. */
  boolean?: readonly TBoolean[];
  /** Flags whose value stays a string; `"_"` means the arguments. */
  string?: readonly TString[];
  /** Flags of `string` that may be given any number of times. */
  collect?: readonly TCollect[];
  /** Flags of `boolean` that `--no-NAME` sets to `false`. */
  negatable?: readonly TBoolean[];
  /** Values of the flags that are not given. */
  default?: TDefault;
  /** Other names of a flag. */
  alias?: Readonly<Record<string, string | readonly string[]>>;
  /**
   * Whether what follows `--` goes to the property `"--"` instead of `_`.
   *
   * @default {false}
   */
  "--"?: TDoubleDash;
  /**
   * Whether everything from the first argument on is an argument.
   *
   * @default {false}
   */
  stopEarly?: boolean;
  /** Called for what was not declared; `false` leaves it out. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** What {@linkcode parseArgs} returns. */
export type Args<
  TBoolean extends string,
  TString extends string,
  TCollect extends TString,
  TDefault extends object,
  TDoubleDash extends boolean,
> =
  & { _: ("_" extends TString ? string : string | number)[] }
  & (true extends TDoubleDash ? { "--": string[] } : unknown)
  & { [K in Exclude<TBoolean, keyof TDefault>]: boolean }
  & { [K in Exclude<TString, TCollect | keyof TDefault | "_">]?: string }
  & { [K in TCollect]: string[] }
  & {
    [K in Exclude<keyof TDefault, TCollect>]:
      | (K extends TBoolean ? boolean : K extends TString ? string : unknown)
      | TDefault[K];
  };

/** Parses command-line arguments into flags and arguments (`_`). */
export function parseArgs<
  const TBoolean extends string = never,
  const TString extends string = never,
  const TCollect extends TString = never,
  TDefault extends object = Record<never, never>,
  const TDoubleDash extends boolean = false,
>(
  args: readonly string[],
  options?: ParseOptions<TBoolean, TString, TCollect, TDefault, TDoubleDash>,
): Args<TBoolean, TString, TCollect, TDefault, TDoubleDash>;

/** Options of {@linkcode promptSecret}. */
export interface PromptSecretOptions {
  /**
   * The character shown for each that is typed.
   *
   * @default {"*"}
   */
  mask?: string;
  /**
   * Whether the prompt is cleared afterwards.
   *
   * @default {false}
   */
  clear?: boolean;
}

/** Asks for a secret on the terminal; `null` when there is no terminal. */
export function promptSecret(
  message?: string,
  options?: PromptSecretOptions,
): string | null;
