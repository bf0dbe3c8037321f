export { UsageError } from "./arguments.ts";
export {
  type Bar,
  type ChartOptions,
  drawBars,
  drawHistogram,
  drawPercentiles,
  drawSparkline,
  drawTable,
  type TableOptions,
} from "./chart.ts";
export type {
  BooleanOption,
  CommandSpec,
  CommandValues,
  CommonValues,
  GivenValue,
  ListOption,
  NumberOption,
  OptionBase,
  OptionSpec,
  OptionValue,
  PositionalSpec,
  PositionalValue,
  StringOption,
} from "./command_spec.ts";
export type { Completion } from "./completion.ts";
export { describeError } from "./describe_error.ts";
export { formatBytes, formatCount, formatDuration } from "./format.ts";
export { Output, type OutputOptions } from "./output.ts";
export { Progress, type ProgressOptions } from "./progress.ts";
export { readSecret, type ReadSecretOptions } from "./read_secret.ts";
export { type CommandMain, type RunContext, runMain } from "./run.ts";
export { sanitize, type SanitizeOptions } from "./sanitize.ts";
export { summarize, type Summary } from "./statistics.ts";
export type { Style } from "./style.ts";
export { closestMatch } from "./suggest.ts";
export { Terminal, type TerminalOptions } from "./terminal.ts";
export {
  CLIENT_TLS_FLAGS,
  type ClientTlsValues,
  readClientTls,
  readServerTls,
  SERVER_TLS_FLAGS,
  type ServerTlsValues,
  watchServerTls,
  type WatchServerTlsOptions,
} from "./tls_flags.ts";
export { displayWidth, truncate } from "./text.ts";
