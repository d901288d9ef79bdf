const colors: Readonly<Record<string, string>> = { error: "\u001b[31m", warn: "\u001b[33m" };
const plain = "\u001b[0m";

/** A record of the log for people: time, level, message, then the rest as key=value. */
export function toPrettyLine(line: string): string {
  const { level, time, msg, err, ...rest } = parseRecord(line);
  const name = text(level);
  const fields = Object.entries(rest).map(([key, value]) => ` ${key}=${text(value)}`);
  const head = `${text(time).slice(11, 23)} ${name.toUpperCase().padEnd(5)} ${text(msg)}`;
  const color = process.env["NO_COLOR"] ? undefined : colors[name];
  const shown = color === undefined ? head : `${color}${head}${plain}`;
  return `${shown}${fields.join("")}${stackOf(err)}\n`;
}

function parseRecord(line: string): Readonly<Record<string, unknown>> {
  const record: unknown = JSON.parse(line);
  return typeof record === "object" && record !== null ? { ...record } : {};
}

function stackOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  return `\n${text(Reflect.get(error, "stack") ?? Reflect.get(error, "message"))}`;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}
