/** What the kernel gives to the domain: cells and their logs. */
export { LinuxHost, type LinuxHostOptions } from "./linux-host.ts";
export { type Lock, openLock } from "./lock.ts";
export { FileLogStore, type FileLogStoreOptions } from "./logs/file-log-store.ts";
export { defaultRetention, type Retention } from "./logs/retention.ts";
