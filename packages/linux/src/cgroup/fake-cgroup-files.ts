import { basename, dirname, join } from "node:path";
import type { CgroupFiles } from "./cgroup-files.ts";

const filesOfV1: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cpu: { "cpu.shares": "1024", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "-1" },
  cpuacct: { "cpuacct.usage": "0" },
  memory: {
    "memory.limit_in_bytes": "9223372036854771712",
    "memory.memsw.limit_in_bytes": "9223372036854771712",
  },
  pids: { "pids.max": "max" },
  freezer: { "freezer.state": "THAWED" },
  cpuset: { "cpuset.cpus": "", "cpuset.mems": "" },
};

const filesOfV2: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cpu: { "cpu.weight": "100", "cpu.max": "max 100000" },
  memory: {
    ...{ "memory.max": "max", "memory.high": "max", "memory.low": "0", "memory.min": "0" },
    "memory.swap.max": "max",
  },
  pids: { "pids.max": "max" },
  cpuset: { "cpuset.cpus": "", "cpuset.cpus.effective": "0-3", "cpuset.mems": "" },
};

/**
 * Cgroup file systems in memory: directories are born with the files that the kernel would give them,
 * and what the kernel refuses is refused. Everything that was done is written down.
 */
export class FakeCgroupFiles implements CgroupFiles {
  readonly files: Map<string, string> = new Map();
  /** "mkdir …", "write … value", "rmdir …", in order. */
  readonly log: string[] = [];
  readonly #versions = new Map<string, 1 | 2>();

  /** Mount version 1 with some controllers. */
  mountV1(mountPoint: string, ...controllers: readonly string[]): void {
    this.#versions.set(mountPoint, 1);
    this.files.set(join(mountPoint, "tasks"), "");
    this.files.set(join(mountPoint, "cgroup.clone_children"), "0");
    this.#addFilesOfV1(mountPoint, controllers);
    if (!controllers.includes("cpuset")) return;
    this.files.set(join(mountPoint, "cpuset.cpus"), "0-3");
    this.files.set(join(mountPoint, "cpuset.mems"), "0");
  }

  /** Mount version 2 with some controllers, none of them switched on below. */
  mountV2(mountPoint: string, ...controllers: readonly string[]): void {
    this.#versions.set(mountPoint, 2);
    this.files.set(join(mountPoint, "cgroup.controllers"), controllers.join(" "));
    this.files.set(join(mountPoint, "cgroup.subtree_control"), "");
    this.files.set(join(mountPoint, "cgroup.procs"), "");
  }

  exists(path: string): boolean {
    return (
      this.files.has(path) || [...this.files.keys()].some((file) => file.startsWith(`${path}/`))
    );
  }

  read(path: string): string {
    const text = this.files.get(path);
    if (text === undefined) throw errno("ENOENT");
    return text;
  }

  write(path: string, value: string): void {
    this.log.push(`write ${path} ${value}`);
    if (!this.files.has(path)) throw errno("ENOENT");
    this.files.set(path, this.#afterWrite(path, value));
  }

  writeAndRead(path: string, value: string): string {
    this.write(path, value);
    return this.read(path);
  }

  makeDirectory(path: string): void {
    if (this.exists(path)) throw errno("EEXIST");
    if (!this.exists(dirname(path))) throw errno("ENOENT");
    this.log.push(`mkdir ${path}`);
    const parent = dirname(path);
    if (this.files.has(join(parent, "cgroup.subtree_control"))) this.#addFilesOfV2(parent, path);
    else this.#addChildOfV1(parent, path);
  }

  removeDirectory(path: string): void {
    if (!this.exists(path)) throw errno("ENOENT");
    if (this.directoriesIn(path).length > 0 || this.files.get(join(path, "cgroup.procs"))) {
      throw errno("EBUSY");
    }
    this.log.push(`rmdir ${path}`);
    for (const file of this.files.keys()) if (dirname(file) === path) this.files.delete(file);
  }

  directoriesIn(path: string): readonly string[] {
    const below = [...this.files.keys()].filter((file) => file.startsWith(`${path}/`));
    const names = below.map((file) => file.slice(path.length + 1).split("/"));
    return [...new Set(names.filter((parts) => parts.length > 1).map(([first]) => first ?? ""))];
  }

  #afterWrite(path: string, value: string): string {
    const before = this.read(path);
    switch (basename(path)) {
      case "cgroup.subtree_control":
        return this.#switchOn(dirname(path), before, value);
      case "memory.memsw.limit_in_bytes":
        if (BigInt(value) < BigInt(this.read(join(dirname(path), "memory.limit_in_bytes")))) {
          throw errno("EINVAL");
        }
        return toPages(value);
      case "memory.limit_in_bytes":
      case "memory.max":
        return toPages(value);
      case "cpuset.cpus":
        if (this.files.has(`${path}.effective`)) this.files.set(`${path}.effective`, value);
        return value;
      default:
        return value;
    }
  }

  #switchOn(directory: string, before: string, value: string): string {
    const available = this.read(join(directory, "cgroup.controllers")).split(" ");
    const wanted = value.split(" ").map((name) => name.slice(1));
    if (!wanted.every((name) => available.includes(name))) throw errno("ENOENT");
    for (const name of this.directoriesIn(directory)) {
      this.#addController(join(directory, name), wanted);
    }
    return [before, ...wanted].filter(Boolean).join(" ");
  }

  #addController(directory: string, names: readonly string[]): void {
    const file = join(directory, "cgroup.controllers");
    this.files.set(file, [this.read(file), ...names].filter(Boolean).join(" "));
    for (const name of names) this.#addFiles(directory, filesOfV2[name] ?? {});
  }

  #addFilesOfV2(parent: string, path: string): void {
    this.files.set(join(path, "cgroup.controllers"), "");
    this.files.set(join(path, "cgroup.subtree_control"), "");
    this.files.set(join(path, "cgroup.procs"), "");
    this.files.set(join(path, "cgroup.events"), "populated 0\nfrozen 0\n");
    this.files.set(join(path, "cgroup.kill"), "");
    const on = this.read(join(parent, "cgroup.subtree_control")).split(" ").filter(Boolean);
    this.#addController(path, on);
  }

  #addChildOfV1(parent: string, path: string): void {
    const controllers = Object.keys(filesOfV1).filter((name) =>
      Object.keys(filesOfV1[name] ?? {}).some((file) => this.files.has(join(parent, file))),
    );
    this.files.set(join(path, "tasks"), "");
    this.files.set(join(path, "cgroup.procs"), "");
    const clones = this.read(join(parent, "cgroup.clone_children"));
    this.files.set(join(path, "cgroup.clone_children"), clones);
    this.#addFilesOfV1(path, controllers);
    if (clones !== "1" || !controllers.includes("cpuset")) return;
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      this.files.set(join(path, file), this.read(join(parent, file)));
    }
  }

  #addFilesOfV1(directory: string, controllers: readonly string[]): void {
    for (const name of controllers) this.#addFiles(directory, filesOfV1[name] ?? {});
  }

  #addFiles(directory: string, files: Readonly<Record<string, string>>): void {
    for (const [file, text] of Object.entries(files)) this.files.set(join(directory, file), text);
  }
}

function toPages(value: string): string {
  return String((BigInt(value) / 4096n) * 4096n);
}

function errno(code: string): Error {
  return Object.assign(new Error(code), { code });
}
