import {
  type CellName,
  type CellSpec,
  type ExecutableSpec,
  type Limits,
  type NamespaceKind,
  namespaceKinds,
  parseCellName,
  parseExecutableName,
  type RequestMark,
} from "@aurae/domain/cells";
import { parseMark } from "./requests/mark-file.ts";
import { asObject, type Json, openJson, sealJson } from "./sealed-json.ts";

/** What is kept of a cell beside it, so that the next daemon knows what it is. */
export interface CellFile {
  readonly name: CellName;
  readonly bootId: string;
  readonly spec: CellSpec;
  /** Of the request that allocated it, if that had one. */
  readonly mark?: RequestMark | undefined;
}

/** What is kept of a run: what was asked for, and by which request, if that had a mark. */
export interface ExecutableFile extends ExecutableSpec {
  readonly mark?: RequestMark;
}

/** Before these files had a checksum. */
const unsealedVersion = 1;

export function encodeCellFile({ name, bootId, spec, mark }: CellFile): string {
  const { limits, shared, labels } = spec;
  return sealJson({
    name,
    bootId,
    limits: Object.fromEntries(Object.entries(limits).map(([key, value]) => [key, encode(value)])),
    shared: [...shared],
    labels: Object.fromEntries(labels),
    mark,
  });
}

/** @throws Error that says what is wrong */
export function parseCellFile(bytes: Buffer): CellFile {
  const file = openJson(bytes, unsealedVersion);
  const name = parseCellName(textOf(file, "name"));
  if (typeof name !== "string") throw new Error(`the name ${name.wrong}`);
  return {
    name,
    bootId: textOf(file, "bootId"),
    spec: {
      limits: parseLimits(objectOf(file, "limits")),
      shared: new Set(textsOf(file, "shared").map(parseKind)),
      labels: new Map(textEntries(objectOf(file, "labels"))),
    },
    ...markOf(file),
  };
}

export function encodeExecutableFile(spec: ExecutableFile): string {
  return sealJson({ ...spec, env: Object.fromEntries(spec.env) });
}

/** @throws Error that says what is wrong */
export function parseExecutableFile(bytes: Buffer): ExecutableFile {
  const file = openJson(bytes, unsealedVersion);
  const name = parseExecutableName(textOf(file, "name"));
  if (typeof name !== "string") throw new Error(`the name ${name.wrong}`);
  return {
    name,
    command: textOf(file, "command"),
    description: textOf(file, "description"),
    args: textsOf(file, "args"),
    env: new Map(textEntries(objectOf(file, "env"))),
    workingDirectory: textOf(file, "workingDirectory"),
    uid: numberOf(file, "uid"),
    gid: numberOf(file, "gid"),
    noShell: file["noShell"] === true,
    ...markOf(file),
  };
}

/** Its request had none, or was written before there were any. */
function markOf(file: Json): { readonly mark?: RequestMark } {
  return file["mark"] === undefined ? {} : { mark: parseMark(file["mark"]) };
}

/** JSON has no integers of 64 bits: they become "4096n", which no list of processors looks like. */
function encode(value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

/** They were checked before they were written; here only their types are. */
function parseLimits(limits: Json): Limits {
  const entries = Object.entries(limits).map(([key, value]): readonly [string, unknown] => {
    const wanted = limitTypes.get(key);
    const bytes =
      typeof value === "string" && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;
    if (typeof bytes !== wanted) throw new Error(`the limit ${key} is no ${wanted}`);
    return [key, bytes];
  });
  return { pidsMax: numberOf(limits, "pidsMax"), ...Object.fromEntries(entries) };
}

const limitTypes: ReadonlyMap<string, string> = new Map<keyof Limits, string>([
  ["cpuShares", "number"],
  ["cpuWeight", "number"],
  ["cpuQuotaUs", "number"],
  ["cpuPeriodUs", "number"],
  ["memoryMaxBytes", "bigint"],
  ["memoryHighBytes", "bigint"],
  ["memoryLowBytes", "bigint"],
  ["memoryMinBytes", "bigint"],
  ["memorySwapMaxBytes", "bigint"],
  ["cpusetCpus", "string"],
  ["cpusetMems", "string"],
  ["pidsMax", "number"],
]);

function parseKind(text: string): NamespaceKind {
  const kind = namespaceKinds.find((each) => each === text);
  if (kind === undefined) throw new Error(`there is no namespace "${text}"`);
  return kind;
}

function objectOf(object: Json, key: string): Json {
  return asObject(object[key], key);
}

function textEntries(object: Json): readonly (readonly [string, string])[] {
  return Object.keys(object).map((key) => [key, textOf(object, key)]);
}

function textsOf(object: Json, key: string): readonly string[] {
  const value = object[key];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw new Error(`${key} is no list of texts`);
  }
  return value;
}

function textOf(object: Json, key: string): string {
  const value = object[key];
  if (typeof value !== "string") throw new Error(`${key} is no text`);
  return value;
}

function numberOf(object: Json, key: string): number {
  const value = object[key];
  if (typeof value !== "number") throw new Error(`${key} is no number`);
  return value;
}
